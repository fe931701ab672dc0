//! The assets in `ops`, with a real Prometheus that scrapes the service: the configuration, the alerts and their tests, and every query of the
//! Grafana dashboard.
//!
//! Where there is no Prometheus, it says so and tests nothing.

mod service;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use cache_runtime::CacheConfig;
use reqwest::Client;
use serde_json::Value;
use tokio::process::Command;

use service::Service;

/// As long as anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn ops(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ops").join(file)
}

async fn promtool(arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("promtool");
    let output = command.args(arguments).output().await?;
    ensure!(
        output.status.success(),
        "promtool {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prometheus_reads_all_of_it() -> anyhow::Result<()> {
    let exists = async |program| {
        Command::new(program)
            .arg("--version")
            .output()
            .await
            .is_ok()
    };
    if !exists("prometheus").await || !exists("promtool").await {
        eprintln!(
            "\n*** NOT TESTED: this machine has no prometheus (Debian: apt-get install prometheus) ***\n"
        );
        return Ok(());
    }
    let path = |file| ops(file).display().to_string();
    promtool(&["check", "config", &path("prometheus.yml")]).await?;
    promtool(&["check", "rules", &path("alerts.yml")]).await?;
    promtool(&["test", "rules", &path("alerts.test.yml")]).await?;

    let service = Service::start(CacheConfig::embedded().verify(0.5), "unused").await?;
    let client = Client::new();
    let scraped = client.get(format!("{}/metrics", service.url())).send();
    let scraped = scraped.await?.error_for_status()?;
    let kind = scraped.headers().get("content-type").cloned();
    ensure!(
        kind.is_some_and(|kind| kind
            .to_str()
            .is_ok_and(|kind| kind.starts_with("text/plain"))),
        "not what Prometheus takes"
    );

    // The configuration of the example, but for where the service is, and how often.
    let directory = tempfile::tempdir()?;
    let config = std::fs::read_to_string(ops("prometheus.yml"))?
        .replace("localhost:3000", &service.address)
        .replace("5s", "1s");
    let config_path = directory.path().join("prometheus.yml");
    std::fs::write(&config_path, config)?;
    std::fs::copy(ops("alerts.yml"), directory.path().join("alerts.yml"))?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port();
    let mut prometheus = Command::new("prometheus")
        .arg(format!("--config.file={}", config_path.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            directory.path().join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let queries = Queries {
        client: client.clone(),
        url: format!("http://127.0.0.1:{port}/api/v1"),
    };
    let service_url = service.url();
    let seen = tokio::time::timeout(4 * PATIENCE, look(&queries, &service_url)).await;
    prometheus.kill().await?;
    seen?
}

/// Asks Prometheus.
struct Queries {
    client: Client,
    url: String,
}

impl Queries {
    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Value> {
        let request = self
            .client
            .get(format!("{}/{path}", self.url))
            .query(parameters);
        let answer: Value = request.send().await?.json().await?;
        ensure!(
            answer["status"] == "success",
            "{path} {parameters:?}: {answer}"
        );
        Ok(answer["data"].clone())
    }

    /// How many series a query finds.
    async fn found(&self, query: &str) -> anyhow::Result<usize> {
        let data = self.get("query", &[("query", query)]).await?;
        Ok(data["result"].as_array().map_or(0, Vec::len))
    }
}

async fn look(queries: &Queries, service: &str) -> anyhow::Result<()> {
    // Some calls between scrapes, until there is a rate of them.
    let rate = "sum(rate(cache_calls_total{outcome=\"hit\"}[1m])) > 0";
    while queries.found(rate).await.unwrap_or(0) == 0 {
        for path in [
            "users/1",
            "users/2",
            "dashboards/1?date=2026-06-30",
            "settings",
        ] {
            let url = format!("{service}/{path}");
            queries.client.get(url).send().await?.error_for_status()?;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let names = queries.get("label/__name__/values", &[]).await?;
    let known: BTreeSet<String> = serde_json::from_value(names)?;

    // Each query of each panel finds something.
    let dashboard = std::fs::read_to_string(ops("grafana-dashboard.json"))?;
    let dashboard: Value = serde_json::from_str(&dashboard)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    ensure!(panels.len() >= 15);
    for panel in panels {
        for target in panel["targets"].as_array().context("targets")? {
            let query = target["expr"].as_str().context("a query")?;
            let asked = query
                .replace("$__rate_interval", "1m")
                .replace("$__range", "5m")
                .replace("$namespace", ".*");
            ensure!(
                !asked.contains('$'),
                "a variable that is not replaced: {asked}"
            );
            ensure!(
                queries.found(&asked).await? > 0,
                "{}: {query} finds nothing",
                panel["title"]
            );
            all_known(query, &known)?;
        }
    }

    // The alerts are loaded, evaluated without an error, name what there is, and none fires for a cache that is well.
    loop {
        let rules = queries.get("rules", &[]).await?;
        let rules = rules["groups"][0]["rules"].as_array().context("rules")?;
        ensure!(rules.len() == 9, "{} alerts", rules.len());
        if rules.iter().any(|rule| rule["health"] == "unknown") {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        for rule in rules {
            ensure!(rule["health"] == "ok", "{rule}");
            ensure!(rule["state"] == "inactive", "{rule}");
            all_known(rule["query"].as_str().context("a query")?, &known)?;
        }
        return Ok(());
    }
}

/// Every metric that a query names is one of those that were scraped.
fn all_known(query: &str, known: &BTreeSet<String>) -> anyhow::Result<()> {
    let words = query.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    for name in words.filter(|word| word.starts_with("cache_")) {
        ensure!(known.contains(name), "there is no {name}: {query}");
    }
    Ok(())
}
