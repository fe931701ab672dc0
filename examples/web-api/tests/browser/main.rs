//! The cache's dashboard in a real browser: Chromium by its driver, against the service and its database.
//!
//! Where there is no Chromium, it says so and tests nothing. With `UPDATE_SCREENSHOTS=1`, the pictures in the documentation are taken anew.

mod driver;
#[path = "../service/mod.rs"]
mod service;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use cache_runtime::{CacheConfig, Mode, global};
use serde_json::{Value, json};

use driver::Driver;
use service::Service;

const TOKEN: &str = "open sesame";

/// As long as anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_and_steers_the_cache() -> anyhow::Result<()> {
    let Some(mut driver) = Driver::start().await? else {
        eprintln!(
            "\n*** NOT TESTED: this machine has no chromium and chromedriver (Debian: apt-get install chromium chromium-driver) ***\n"
        );
        return Ok(());
    };
    let service = Service::start(CacheConfig::embedded().verify(0.05), TOKEN).await?;
    let load = tokio::spawn(keep_calling(service.url()));
    let seen = look(&mut driver, &service.url()).await;
    // Before anything else, so that no browser is left behind.
    driver.stop().await?;
    load.abort();
    seen
}

/// What the users of the service do meanwhile.
async fn keep_calling(service: String) {
    let client = reqwest::Client::new();
    for turn in 0_u64.. {
        // Some users are asked for more often than others.
        let user = 1 + (turn * turn) % 23;
        let path = match turn % 10 {
            0..5 => format!("/users/{user}"),
            5..8 => format!("/dashboards/{user}?date=2026-06-30"),
            8 => "/settings".to_owned(),
            _ => format!("/users?ids={user},{}", user + 1),
        };
        let _ = client.get(format!("{service}{path}")).send().await;
        if turn % 200 == 0 {
            let renamed = client.put(format!("{service}/users/{user}"));
            let renamed = renamed.json(&json!({ "name": format!("Ada {turn}") }));
            let _ = renamed.send().await;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

async fn look(driver: &mut Driver, service: &str) -> anyhow::Result<()> {
    driver.resize(1280, 1500).await?;
    driver.open(&format!("{service}/cache")).await?;
    until(
        driver,
        "document.getElementById('live').textContent === 'live'",
    )
    .await?;
    the_numbers_move(driver).await?;
    sorting_works(driver).await?;
    // The chart has a past.
    until(
        driver,
        "(document.querySelector('#chart .calls')?.getAttribute('d') || '').split('L').length > 6",
    )
    .await?;
    until(driver, "document.querySelectorAll('#health li').length > 2 && document.querySelectorAll('#map tbody tr').length > 5").await?;
    let errors = driver.console_errors().await?;
    ensure!(errors.is_empty(), "the console has errors: {errors:?}");
    picture(driver, "dashboard-light").await?;
    driver.click("#theme").await?;
    let theme = driver
        .run("return document.documentElement.dataset.theme")
        .await?;
    ensure!(theme == "dark", "the theme is {theme}");
    picture(driver, "dashboard-dark").await?;
    a_control_is_refused(driver).await?;
    the_switch_acts(driver).await?;
    the_switches_of_the_fleet_act(driver).await?;
    entries_are_counted(driver).await?;
    a_key_can_be_looked_up(driver).await?;
    driver.resize(390, 844).await?;
    let widths = driver
        .run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        .await?;
    ensure!(
        widths[0] == widths[1],
        "it is wider than its window: {widths}"
    );
    picture(driver, "dashboard-phone").await
}

async fn the_numbers_move(driver: &Driver) -> anyhow::Result<()> {
    let calls = "Number(document.getElementById('ratio-of').textContent.replace(/[^0-9]/g, ''))";
    until(driver, &format!("{calls} > 10")).await?;
    let before = driver.run(&format!("return {calls}")).await?;
    until(driver, &format!("{calls} > {before}")).await?;
    until(
        driver,
        "/^[0-9.]+ %$/.test(document.getElementById('ratio').textContent)",
    )
    .await?;
    // All of those that are asked for have a row, with what it takes to load them.
    until(
        driver,
        "[...document.querySelectorAll('#table tbody tr')].filter((row) => /ms|µs/.test(row.cells[6].textContent)).length >= 3",
    )
    .await
}

/// The first cells of the table.
const TEMPLATES: &str =
    "[...document.querySelectorAll('#table tbody tr code')].map((cell) => cell.textContent)";

async fn sorting_works(driver: &Driver) -> anyhow::Result<()> {
    let order = async |sort: &str| -> anyhow::Result<(Vec<String>, Value)> {
        let templates = serde_json::from_value(driver.run(&format!("return {TEMPLATES}")).await?)?;
        let sorted =
            format!("return document.querySelector('[data-sort={sort}]').parentElement.ariaSort");
        Ok((templates, driver.run(&sorted).await?))
    };
    driver.click("[data-sort=template]").await?;
    let (ascending, sorted) = order("template").await?;
    ensure!(
        ascending.is_sorted() && sorted == "ascending",
        "{sorted}: {ascending:?}"
    );
    // By the keyboard, and the other way.
    driver.press_enter("[data-sort=template]").await?;
    let (descending, sorted) = order("template").await?;
    ensure!(
        descending.iter().rev().is_sorted() && sorted == "descending" && descending != ascending,
        "{sorted}: {descending:?}"
    );
    driver.click("[data-sort=calls]").await?;
    let (_, sorted) = order("template").await?;
    ensure!(sorted == "none", "{sorted}");
    Ok(())
}

/// What the page says of the last action.
async fn outcome(driver: &Driver, action: &str, says: &str) -> anyhow::Result<()> {
    driver.click(&format!("[data-action={action}]")).await?;
    driver.click("#sure").await?;
    until(
        driver,
        &format!("document.getElementById('outcome').textContent.includes('{says}')"),
    )
    .await
}

async fn a_control_is_refused(driver: &Driver) -> anyhow::Result<()> {
    outcome(driver, "switch-off", "401").await?;
    driver.write("#token", "guessed").await?;
    outcome(driver, "switch-off", "403").await?;
    ensure!(global().mode() == Mode::On, "it was carried out");
    until(
        driver,
        "document.getElementById('refused').textContent.includes('2 refused')",
    )
    .await?;
    // Who thinks better of it asks for nothing.
    driver.click("[data-action=epoch]").await?;
    driver.click("#confirm [value=no]").await?;
    until(
        driver,
        "document.getElementById('outcome').textContent === 'nothing was done'",
    )
    .await
}

async fn the_switch_acts(driver: &Driver) -> anyhow::Result<()> {
    driver.write("#token", TOKEN).await?;
    outcome(driver, "switch-off", "switch: off").await?;
    ensure!(global().mode() == Mode::Off, "nothing was done");
    until(
        driver,
        "document.getElementById('mode').textContent === 'switched off'",
    )
    .await?;
    until(driver, "document.getElementById('changes').textContent.includes('switched: off, by the holder of the token')").await?;
    // The users go on, and none of their calls is a hit.
    let calls = global().stats().calls();
    until(
        driver,
        "document.getElementById('rate').textContent === '0.0'",
    )
    .await?;
    ensure!(
        global().stats().calls() <= calls + 2,
        "some calls were under way"
    );
    outcome(driver, "switch-on", "switch: on").await?;
    until(
        driver,
        "document.getElementById('mode').textContent === 'switched on'",
    )
    .await?;
    until(
        driver,
        "document.getElementById('rate').textContent !== '0.0'",
    )
    .await
}

/// Of a fleet of one.
async fn the_switches_of_the_fleet_act(driver: &Driver) -> anyhow::Result<()> {
    outcome(driver, "fleet-off", "switch fleet: off").await?;
    ensure!(!global().fleet().on, "nothing was done");
    until(
        driver,
        "document.getElementById('mode').textContent === 'switched off, the whole fleet'",
    )
    .await?;
    outcome(driver, "fleet-on", "switch fleet: on").await?;
    for (now, then) in [("is on", "is off"), ("is off", "is on")] {
        let button = "[data-template=\"settings:global\"]";
        let says = |word| format!("document.querySelector('{button}').textContent === '{word}'");
        until(driver, &says(now)).await?;
        driver.click(button).await?;
        driver.click("#sure").await?;
        until(driver, &says(then)).await?;
        ensure!(global().fleet().templates_off.len() == usize::from(then == "is off"));
    }
    Ok(())
}

async fn entries_are_counted(driver: &Driver) -> anyhow::Result<()> {
    driver.click("#count").await?;
    until(
        driver,
        "/^All .* keys counted/.test(document.getElementById('census').textContent)",
    )
    .await?;
    // Of the settings, of which there is one.
    let row = "[...document.querySelectorAll('#table tbody tr')].find((row) => row.textContent.startsWith('settings:global'))";
    until(
        driver,
        &format!("[...{row}.cells].some((cell) => cell.textContent === '1')"),
    )
    .await
}

async fn a_key_can_be_looked_up(driver: &Driver) -> anyhow::Result<()> {
    driver.write("#what", "settings:global").await?;
    driver.click("[data-action=inspect]").await?;
    until(
        driver,
        "/\"slot\":\"(value|lease)\"/.test(document.getElementById('outcome').textContent)",
    )
    .await?;
    outcome(driver, "key", "done").await
}

/// Waits until the page is as it should be.
async fn until(driver: &Driver, is: &str) -> anyhow::Result<()> {
    let waiting = async {
        while driver.run(&format!("return {is}")).await? != true {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    if let Ok(waited) = tokio::time::timeout(PATIENCE, waiting).await {
        return waited;
    }
    let text = driver.run("return document.body.innerText").await?;
    anyhow::bail!("never came true: {is}\non the page:\n{text}")
}

async fn picture(driver: &Driver, name: &str) -> anyhow::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = if std::env::var_os("UPDATE_SCREENSHOTS").is_some() {
        here.join("../../cache-runtime/docs/images")
    } else {
        Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned()
    };
    std::fs::create_dir_all(&folder)?;
    let file = folder.join(format!("{name}.png"));
    std::fs::write(&file, driver.picture().await?).with_context(|| file.display().to_string())?;
    println!("{}", file.display());
    Ok(())
}
