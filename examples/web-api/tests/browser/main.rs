//! The cache's dashboard in a real browser: Chromium by its driver, against the service and its database.
//!
//! Where there is no Chromium, it says so and tests nothing; with `REQUIRE_BROWSER=1`, it fails. With `UPDATE_SCREENSHOTS=1`, the pictures
//! in the documentation are taken anew.

mod driver;
mod redis;
#[path = "../service/mod.rs"]
mod service;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use cache_runtime::{CacheConfig, Key, Mode, Policy, global};
use serde_json::{Value, json};

use driver::Driver;
use redis::Redis;
use service::Service;

const TOKEN: &str = "open sesame";

/// As long as anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// As long as what is not left to a timer of half a minute may take.
const SOON: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_and_steers_the_cache() -> anyhow::Result<()> {
    let Some(mut driver) = Driver::start().await? else {
        let missing = "this machine has no chromium and chromedriver (Debian: apt-get install chromium chromium-driver)";
        ensure!(std::env::var_os("REQUIRE_BROWSER").is_none(), "{missing}");
        eprintln!("\n*** NOT TESTED: {missing} ***\n");
        return Ok(());
    };
    let redis = Redis::start().await?;
    let config = CacheConfig::redis(&redis.url())?;
    let config = config.verify(0.05).tracking(true);
    let is_away = Arc::new(AtomicBool::new(false));
    let service = Service::start_behind(config, TOKEN, |routes| in_front(routes, &is_away)).await?;
    let load = tokio::spawn(keep_calling(service.url()));
    let seen = look(&mut driver, &service.url(), &is_away).await;
    // Before anything else, so that no browser is left behind.
    driver.stop().await?;
    load.abort();
    seen
}

/// A balancer, which may have nobody to ask.
fn in_front(routes: Router, is_away: &Arc<AtomicBool>) -> Router {
    let is_away = is_away.clone();
    routes.layer(from_fn(move |request: Request, next: Next| {
        let is_away = is_away.load(Ordering::SeqCst) && request.uri().path().starts_with("/cache");
        async move {
            if is_away {
                StatusCode::BAD_GATEWAY.into_response()
            } else {
                next.run(request).await
            }
        }
    }))
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

const LIVE: &str = "document.getElementById('live').textContent === 'live'";

async fn look(driver: &mut Driver, service: &str, is_away: &AtomicBool) -> anyhow::Result<()> {
    driver.resize(1280, 1500).await?;
    for spelling in ["cache/", "cache"] {
        driver.open(&format!("{service}/{spelling}")).await?;
        until(driver, LIVE).await?;
    }
    watch_the_stream(driver).await?;
    the_numbers_move(driver).await?;
    sorting_works(driver).await?;
    a_press_may_last_longer_than_a_frame(driver).await?;
    // The chart has a past.
    until(
        driver,
        "(document.querySelector('#chart .calls')?.getAttribute('d') || '').split('L').length > 40",
    )
    .await?;
    until(driver, "document.querySelectorAll('#health li').length > 2 && document.querySelectorAll('#map tbody tr').length > 5").await?;
    the_stream_goes_on(driver).await?;
    nothing_is_wider_than_its_window(driver).await?;
    let errors = driver.console_errors().await?;
    let errors: Vec<_> = errors
        .iter()
        .filter(|error| !error.contains("401"))
        .collect();
    ensure!(errors.is_empty(), "the console has errors: {errors:?}");
    a_control_is_refused(driver).await?;
    the_switch_acts(driver).await?;
    the_switches_of_the_fleet_act(driver).await?;
    the_pictures_are_taken(driver).await?;
    a_key_can_be_looked_up(driver).await?;
    a_template_can_be_emptied(driver).await?;
    a_detached_process_says_so(driver).await?;
    a_loss_is_told_and_ends(driver, is_away).await?;
    the_past_ends(driver).await?;
    another_process_begins_anew(driver).await
}

/// After some of what can be done, so that there is something on them.
async fn the_pictures_are_taken(driver: &Driver) -> anyhow::Result<()> {
    entries_are_counted(driver).await?;
    driver.write("#token", "").await?;
    driver.run("document.activeElement.blur()").await?;
    let points = "document.querySelector('#chart .calls').getAttribute('d').split(/[ML]/).length";
    until(driver, &format!("{points} > 60")).await?;
    driver.run("scrollTo(0, 0)").await?;
    picture(driver, "dashboard-light").await?;
    driver.click("#theme").await?;
    let theme = driver
        .run("return document.documentElement.dataset.theme")
        .await?;
    ensure!(theme == "dark", "the theme is {theme}");
    picture(driver, "dashboard-dark").await?;
    driver.resize(390, 844).await?;
    nothing_is_wider_than_its_window(driver).await?;
    driver.run("scrollTo(0, 0)").await?;
    picture(driver, "dashboard-phone").await?;
    driver.resize(1280, 1500).await?;
    driver.write("#token", TOKEN).await
}

async fn the_numbers_move(driver: &Driver) -> anyhow::Result<()> {
    let calls = "Number(document.getElementById('calls').textContent.replace(/[^0-9]/g, ''))";
    until(driver, &format!("{calls} > 10")).await?;
    let before = driver.run(&format!("return {calls}")).await?;
    until(driver, &format!("{calls} > {before}")).await?;
    for of in ["ratio", "ratio-all"] {
        let is_share = format!("/^[0-9.]+ %$/.test(document.getElementById('{of}').textContent)");
        until(driver, &is_share).await?;
    }
    // All of those that are asked for have a row, with what it takes to load them.
    until(
        driver,
        "[...document.querySelectorAll('#table td[data-label^=Load]')].filter((cell) => /^[0-9].* (ms|µs)$/.test(cell.textContent)).length >= 3",
    )
    .await?;
    let process = format!("· process {}", std::process::id());
    until(
        driver,
        &format!("document.getElementById('process').textContent === '{process}'"),
    )
    .await?;
    // Of those who invalidate, too.
    until(
        driver,
        "[...document.querySelectorAll('#writers tbody tr')].some((row) => row.textContent.includes('rename_user') && Number(row.cells[2].textContent) > 0)",
    )
    .await
}

/// Each stream ends after ten seconds. Whoever looks sees nothing of it.
async fn watch_the_stream(driver: &Driver) -> anyhow::Result<()> {
    driver
        .run(
            "window.said = [];
             const live = document.getElementById('live');
             new MutationObserver(() => said.push(live.textContent)).observe(live, { childList: true, characterData: true, subtree: true });",
        )
        .await?;
    Ok(())
}

async fn the_stream_goes_on(driver: &Driver) -> anyhow::Result<()> {
    let streams = "performance.getEntriesByType('resource').filter((entry) => entry.name.endsWith('/api/events')).length";
    until(driver, &format!("{streams} >= 2")).await?;
    let said = driver.run("return said").await?;
    ensure!(said == json!([]), "it flickers: {said}");
    Ok(())
}

async fn nothing_is_wider_than_its_window(driver: &Driver) -> anyhow::Result<()> {
    let wide = "return [document.documentElement, ...document.querySelectorAll('.scroll')]
        .filter((element) => element.scrollWidth > element.clientWidth)
        .map((element) => `${element.tagName} ${element.getAttribute('aria-labelledby')}: ${element.scrollWidth} > ${element.clientWidth}`)";
    let wide = driver.run(wide).await?;
    ensure!(wide == json!([]), "wider than its window: {wide}");
    Ok(())
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
    // By numbers: 9 comes before 10.
    let calls = async |sorted: &str| -> anyhow::Result<Vec<u64>> {
        driver.click("[data-sort=calls]").await?;
        let (_, its) = order("calls").await?;
        ensure!(its == sorted, "{its}");
        let read = "return [...document.querySelectorAll('#table td[data-label=Calls]')].map((cell) => Number(cell.textContent.replace(/,/g, '')))";
        Ok(serde_json::from_value(driver.run(read).await?)?)
    };
    let descending = calls("descending").await?;
    ensure!(
        descending.iter().rev().is_sorted() && descending.first() != descending.last(),
        "{descending:?}"
    );
    let ascending = calls("ascending").await?;
    ensure!(ascending.is_sorted(), "{ascending:?}");
    let (_, sorted) = order("template").await?;
    ensure!(sorted == "none", "{sorted}");
    calls("descending").await?;
    Ok(())
}

/// The switch of a template that is called all the time.
const SWITCH: &str = "[data-template=\"settings:global\"]";

/// A row is the same one, and stays where it is, whatever the next frames say.
async fn a_press_may_last_longer_than_a_frame(driver: &Driver) -> anyhow::Result<()> {
    driver.hold(SWITCH, Duration::from_millis(2500)).await?;
    until(driver, "document.getElementById('confirm').open").await?;
    let question = driver
        .run("return document.getElementById('question').textContent")
        .await?;
    ensure!(
        question
            .as_str()
            .is_some_and(|asks| asks.starts_with("Switch settings:global off")),
        "{question}"
    );
    driver.click("#confirm [value=no]").await?;
    says(driver, "nothing was done").await?;
    // For some frames more.
    let calls = "document.getElementById('calls').textContent";
    for _ in 0..3 {
        let before = driver.run(&format!("return {calls}")).await?;
        until(driver, &format!("{calls} !== {before}")).await?;
        let stays = format!("return document.activeElement === document.querySelector('{SWITCH}')");
        ensure!(driver.run(&stays).await? == true, "the focus is elsewhere");
    }
    Ok(())
}

/// Waits until the page says of the last action exactly this.
async fn says(driver: &Driver, words: &str) -> anyhow::Result<()> {
    let words = json!(words);
    let said = format!("document.getElementById('outcome').textContent === {words}");
    until(driver, &said).await
}

/// Uses a control, and does what it asks.
async fn press(driver: &Driver, action: &str) -> anyhow::Result<()> {
    driver
        .run("document.getElementById('outcome').replaceChildren()")
        .await?;
    driver.click(&format!("[data-action={action}]")).await?;
    driver.click("#sure").await
}

/// Uses a control; the page says this of it.
async fn outcome(driver: &Driver, action: &str, words: &str) -> anyhow::Result<()> {
    press(driver, action).await?;
    says(driver, words).await
}

/// Uses a control; the page says that it was refused or failed, and this.
async fn refusal(driver: &Driver, action: &str, told: &str) -> anyhow::Result<()> {
    press(driver, action).await?;
    let said = format!(
        "document.getElementById('outcome').textContent.startsWith('refused or failed. {told}')"
    );
    until(driver, &said).await
}

async fn a_control_is_refused(driver: &Driver) -> anyhow::Result<()> {
    refusal(driver, "switch-off", "401").await?;
    driver.write("#token", "guessed").await?;
    refusal(driver, "switch-off", "403").await?;
    ensure!(global().mode() == Mode::On, "it was carried out");
    until(
        driver,
        "document.getElementById('refused').textContent.includes('2 refused')",
    )
    .await?;
    // Who thinks better of it asks for nothing.
    driver.click("[data-action=epoch]").await?;
    driver.click("#confirm [value=no]").await?;
    says(driver, "nothing was done").await
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
        let reads = |word| format!("document.querySelector('{SWITCH}').textContent === '{word}'");
        until(driver, &reads(now)).await?;
        driver.click(SWITCH).await?;
        driver.click("#sure").await?;
        until(driver, &reads(then)).await?;
        ensure!(global().fleet().templates_off.len() == usize::from(then == "is off"));
        // What it is called begins with what can be read on it.
        let name = driver
            .run(&format!(
                "return document.querySelector('{SWITCH}').ariaLabel"
            ))
            .await?;
        ensure!(
            name.as_str().is_some_and(|name| name.starts_with(then)),
            "{name}"
        );
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
    let cell = |label| {
        format!(
            "document.querySelector('{SWITCH}').closest('tr').querySelector('[data-label={label}]').textContent"
        )
    };
    until(driver, &format!("{} === '1'", cell("Entries"))).await?;
    until(driver, &format!("/^[0-9.]+ k?B$/.test({})", cell("Memory"))).await
}

async fn a_key_can_be_looked_up(driver: &Driver) -> anyhow::Result<()> {
    let facts = "document.querySelector('#outcome dl')?.textContent";
    // Of an hour and a half, less the jitter: 1 h 21 min at least, and never "2 h".
    let policy = Policy::new(Duration::from_secs(5400));
    let stored = global().put(&Key::of("by-hand"), 1_u64, policy).await?;
    ensure!(stored, "it was not stored");
    driver.write("#what", "by-hand").await?;
    driver.click("[data-action=inspect]").await?;
    until(
        driver,
        &format!("/Templatenone of this program.*Lives on for1 h [0-9]+ min/.test({facts})"),
    )
    .await?;
    driver.write("#what", "settings:global").await?;
    driver.click("[data-action=inspect]").await?;
    let facts = "document.querySelector('#outcome dl')?.textContent";
    until(
        driver,
        &format!(
            "/In the storea value.*Templatesettings:global.*Lives on for[0-9]+ min/.test({facts})"
        ),
    )
    .await?;
    press(driver, "reveal").await?;
    let value = "document.querySelector('#outcome pre')?.textContent";
    until(
        driver,
        &format!("JSON.parse({value} || '{{}}').currency?.length === 3"),
    )
    .await?;
    until(driver, "document.getElementById('changes').textContent.includes('a value is looked at, by the holder of the token')").await?;
    let before = global().stats().invalidations;
    outcome(driver, "key", "invalidate key: done").await?;
    ensure!(global().stats().invalidations > before, "nothing was done");
    Ok(())
}

async fn a_template_can_be_emptied(driver: &Driver) -> anyhow::Result<()> {
    let question = "document.getElementById('question').textContent";
    for (template, asks) in [
        ("user:<id>", "Invalidate every key that begins with user:, "),
        ("settings:global", "Invalidate the key settings:global, "),
    ] {
        driver
            .click(&format!("[data-empty=\"{template}\"]"))
            .await?;
        until(driver, &format!("{question}.startsWith('{asks}')")).await?;
        driver.click("#sure").await?;
        says(driver, "invalidate template: done").await?;
        let noted = format!(
            "document.getElementById('changes').textContent.includes('all keys of `{template}` are invalidated')"
        );
        until(driver, &noted).await?;
    }
    Ok(())
}

async fn a_detached_process_says_so(driver: &Driver) -> anyhow::Result<()> {
    global().set_mode(Mode::Detached)?;
    until(
        driver,
        "document.getElementById('mode').textContent === 'switched detached'",
    )
    .await?;
    for action in ["switch-off", "epoch", "key"] {
        refusal(driver, action, "409: this process is detached").await?;
    }
    ensure!(global().mode() == Mode::Detached, "it came back");
    // Looked at by itself, because the mode has changed, and not only when half a minute is over.
    let health = |says: &str| {
        format!(
            "[...document.querySelectorAll('#health li')].some((check) => check.textContent.includes('switch {says}'))"
        )
    };
    until_within(driver, &format!("!({})", health("on")), SOON).await?;
    driver.click("[data-action=switch-on]").await?;
    until(
        driver,
        "document.getElementById('question').textContent.includes('the epoch moves')",
    )
    .await?;
    driver.click("#sure").await?;
    says(driver, "switch: on").await?;
    until_within(driver, &health("on"), SOON).await
}

/// Keeps the next stream that the page opens, and the last frame of it, for what cannot be waited for.
const CATCH_THE_STREAM: &str = "
    window.EventSource = class extends EventSource {
        constructor(address) {
            super(address);
            window.stream = this;
            this.addEventListener('message', (event) => { window.frame = JSON.parse(event.data); });
        }
    };";

/// What is on the chart and in the header just after a frame that differs so from the last.
async fn after_frame(driver: &Driver, differs: &str) -> anyhow::Result<Value> {
    until(
        driver,
        "window.frame && document.querySelector('#chart .calls')",
    )
    .await?;
    let script = format!(
        "const last = frame;
         stream.dispatchEvent(new MessageEvent('message', {{ data: JSON.stringify({{ ...last, {differs} }}) }}));
         return [document.getElementById('chart').childElementCount, document.getElementById('process').textContent];"
    );
    driver.run(&script).await
}

/// Nobody has looked for a while, such as a machine that slept.
async fn the_past_ends(driver: &Driver) -> anyhow::Result<()> {
    let process = format!("· process {}", std::process::id());
    let soon = after_frame(driver, "at: last.at + 2000").await?;
    ensure!(soon == json!([4, process]), "{soon}");
    let late = after_frame(driver, "at: last.at + 16 * 60e3").await?;
    ensure!(late == json!([0, process]), "{late}");
    Ok(())
}

/// What a service may answer that this one does not.
const ANOTHER_SERVICE: &str = "
    const own = window.fetch;
    const answers = {
        audit: { findings: [{ is_trouble: true, text: 'a mistake' }, { is_trouble: false, text: 'a hint' }], uses: [] },
        changes: { refused: 0, changes: [{ change: { at: 1577880000, by: null }, text: 'of long ago' }] },
    };
    window.fetch = (address, options) => {
        const answer = answers[address.split('/').pop()];
        return answer ? Promise.resolve(new Response(JSON.stringify(answer))) : own(address, options);
    };";

/// Behind a balancer.
async fn another_process_begins_anew(driver: &Driver) -> anyhow::Result<()> {
    driver.run(ANOTHER_SERVICE).await?;
    let other = after_frame(driver, "process: { id: 'another', pid: 4711 }").await?;
    ensure!(other == json!([0, "· process 4711"]), "{other}");
    let process = format!("'· process {}'", std::process::id());
    until(
        driver,
        &format!("document.getElementById('process').textContent === {process}"),
    )
    .await?;
    // Its keys and its changes are looked at as well.
    for (place, says) in [
        ("#findings > .finding", "a mistake"),
        ("#findings details .finding", "a hint"),
    ] {
        let finding = format!("document.querySelector('{place}')?.textContent === '{says}'");
        until(driver, &finding).await?;
    }
    let day = "/2020.* of long ago/.test(document.getElementById('changes').textContent)";
    until(driver, day).await?;
    // And if it is not the global cache that is shown, it is said why there are no call sites.
    driver
        .run("stream.dispatchEvent(new MessageEvent('sites', { data: JSON.stringify({ is_global: false, sites: [] }) }))")
        .await?;
    after_frame(driver, "sites: []").await?;
    let why = "return !document.getElementById('no-sites').hidden && document.getElementById('no-sites').textContent";
    let why = driver.run(why).await?;
    ensure!(
        why.as_str()
            .is_some_and(|why| why.contains("not the global one")),
        "{why}"
    );
    Ok(())
}

/// A browser gives up after an answer that is no stream. The page does not.
async fn a_loss_is_told_and_ends(driver: &Driver, is_away: &AtomicBool) -> anyhow::Result<()> {
    driver.run(CATCH_THE_STREAM).await?;
    is_away.store(true, Ordering::SeqCst);
    until(
        driver,
        "document.getElementById('live').textContent.includes('lost')",
    )
    .await?;
    until(driver, "!document.getElementById('trouble').hidden && document.getElementById('trouble').textContent.startsWith('502')").await?;
    // Nor is anything else shown as if it were as before.
    refusal(driver, "epoch", "502").await?;
    until(
        driver,
        "document.getElementById('changes').textContent === 'cannot be read. 502: Bad Gateway'",
    )
    .await?;
    is_away.store(false, Ordering::SeqCst);
    until(driver, LIVE).await?;
    until(driver, "document.getElementById('trouble').hidden").await
}

/// Waits until the page is as it should be.
async fn until(driver: &Driver, is: &str) -> anyhow::Result<()> {
    until_within(driver, is, PATIENCE).await
}

async fn until_within(driver: &Driver, is: &str, patience: Duration) -> anyhow::Result<()> {
    let waiting = async {
        while driver.run(&format!("return !!({is})")).await? != true {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::Ok(())
    };
    if let Ok(waited) = tokio::time::timeout(patience, waiting).await {
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
