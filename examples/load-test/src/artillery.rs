//! The load of artillery, and what its report says of it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::process::Command;

use crate::api::Api;
use crate::args::Args;
use crate::measures::Seen;
use crate::phase::Phase;
use crate::stats::{Stats, Work};

/// The mix: four kinds of reads, and some writes.
const MIX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/artillery/mix.yml");

/// Requests per second.
pub(crate) const RATE: u32 = 150;

/// Puts the mix on the service at `url`: to warm it up, and then to measure it.
pub(crate) async fn run(
    program: &Path,
    args: &Args,
    phase: Phase,
    url: &str,
) -> anyhow::Result<(Seen, Work)> {
    let api = Api::new(url, 1)?;
    let day = Stats::read(&api).await?.dataset.last_day;
    send(program, url, &day, args.warm_up.max(1)).await?;
    let before = Stats::read(&api).await?;
    let report = send(program, url, &day, args.seconds).await?;
    let work = Stats::read(&api).await?.since(&before);
    let seen = report.seen(phase, &work)?;
    Ok((seen, work))
}

async fn send(program: &Path, url: &str, day: &str, seconds: u64) -> anyhow::Result<Report> {
    let directory = tempfile::tempdir()?;
    let output = directory.path().join("report.json");
    let phases = json!({ "config": { "phases": [{ "duration": seconds, "arrivalRate": RATE }] } });
    let sent = Command::new(program)
        .args(["run", "--quiet", "--target", url])
        .args(["--overrides", &phases.to_string()])
        .args(["--variables", &json!({ "day": [day] }).to_string()])
        .arg("--output")
        .arg(&output)
        .arg(MIX)
        // It would tell its makers of each run.
        .env("ARTILLERY_DISABLE_TELEMETRY", "true")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{} cannot be started", program.display()))?;
    ensure!(
        sent.status.success(),
        "artillery failed: {}{}",
        String::from_utf8_lossy(&sent.stdout),
        String::from_utf8_lossy(&sent.stderr)
    );
    let text = std::fs::read_to_string(&output)?;
    serde_json::from_str(&text).context("artillery's report is not what it was")
}

/// What artillery reports.
#[derive(Debug, Deserialize)]
struct Report {
    aggregate: Aggregate,
}

#[derive(Debug, Deserialize)]
struct Aggregate {
    counters: Map<String, Value>,
    summaries: Map<String, Value>,
}

impl Report {
    fn seen(&self, phase: Phase, work: &Work) -> anyhow::Result<Seen> {
        let Aggregate {
            counters,
            summaries,
        } = &self.aggregate;
        let times = &summaries.get("http.response_time").context("no times")?;
        let time = |name: &str| {
            let milliseconds = times[name].as_f64();
            let milliseconds = milliseconds.with_context(|| format!("no {name}"))?;
            anyhow::Ok(Duration::from_secs_f64(milliseconds / 1e3))
        };
        let of = |count: &Value| count.as_u64().unwrap_or_default();
        let requests = counters.get("http.requests").map_or(0, of);
        ensure!(requests > 0, "artillery has sent nothing");
        #[allow(clippy::cast_precision_loss, reason = "few enough")]
        let queries_per_request = work.queries as f64 / requests as f64;
        let errors = counters.iter().filter(|(name, _)| is_error(name));
        Ok(Seen {
            phase,
            hit_ratio: work.calls.hit_ratio(),
            queries_per_request,
            mean: time("mean")?,
            p99: time("p99")?,
            errors: errors.map(|(_, count)| of(count)).sum(),
            wrong: None,
        })
    }
}

/// Whether a counter counts answers that are errors, or requests without one.
fn is_error(counter: &str) -> bool {
    let status = counter.strip_prefix("http.codes.");
    status.map_or(counter.starts_with("errors."), |status| {
        !status.starts_with(['2', '3'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(counters: &Value) -> anyhow::Result<Report> {
        let times = json!({ "count": 4, "mean": 1.5, "p99": 8.9 });
        let summaries = json!({ "http.response_time": times });
        let aggregate = json!({ "counters": counters, "summaries": summaries });
        Ok(serde_json::from_value(
            json!({ "aggregate": aggregate, "intermediate": [] }),
        )?)
    }

    #[test]
    fn a_report_is_read() -> anyhow::Result<()> {
        let counters = json!({
            "http.requests": 4, "http.responses": 4, "http.codes.200": 1, "http.codes.304": 1, "http.codes.404": 1, "http.codes.503": 1,
            "errors.ETIMEDOUT": 2, "vusers.failed": 9, "plugins.metrics-by-endpoint./x.codes.500": 9,
        });
        let seen = report(&counters)?.seen(Phase::CacheOn, &Work::new(2, 3, 1))?;
        assert_eq!(seen.errors, 4);
        assert_eq!(seen.hit_ratio, Some(0.75));
        assert!((seen.queries_per_request - 0.5).abs() < 1e-9);
        assert_eq!(
            (seen.mean.as_micros(), seen.p99.as_micros()),
            (1_500, 8_900)
        );
        Ok(())
    }

    #[test]
    fn a_report_of_nothing_is_an_error() -> anyhow::Result<()> {
        let nothing = report(&json!({}))?.seen(Phase::CacheOn, &Work::new(0, 0, 0));
        assert!(nothing.is_err());
        Ok(())
    }
}
