//! One phase: the load on one service, from the logins to the last answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::api::Api;
use crate::args::Args;
use crate::connection::Connection;
use crate::population::{Population, draw};
use crate::recorder::{Recorded, Recorder};
use crate::stats::{Stats, Work};
use crate::workload::Workload;

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(250);

/// What a phase measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// The service as it would be without a cache.
    CacheOff,
    /// The same with it.
    CacheOn,
    /// A service that was running before, however it is configured.
    Given,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CacheOff => "cache off",
            Self::CacheOn => "cache on",
            Self::Given => "as it runs",
        })
    }
}

/// What one phase came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) phase: Phase,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// What the clients saw.
    pub(crate) recorded: Recorded,
    /// What the service did meanwhile.
    pub(crate) work: Work,
}

#[allow(clippy::cast_precision_loss)]
impl Outcome {
    pub(crate) fn requests_per_second(&self) -> f64 {
        self.recorded.all.len() as f64 / self.measured.as_secs_f64()
    }

    pub(crate) fn queries_per_second(&self) -> f64 {
        self.work.queries as f64 / self.measured.as_secs_f64()
    }

    pub(crate) fn queries_per_request(&self) -> f64 {
        self.work.queries as f64 / self.recorded.all.len() as f64
    }
}

/// The load that every phase is put under.
#[derive(Debug)]
pub(crate) struct Load {
    args: Args,
    warm_up: Duration,
    measured: Duration,
}

impl Load {
    pub(crate) fn new(args: &Args) -> Self {
        Self {
            args: args.clone(),
            warm_up: Duration::from_secs(args.warm_up),
            measured: Duration::from_secs(args.seconds),
        }
    }

    /// Puts the load on the service at `url`.
    pub(crate) async fn run(&self, phase: Phase, url: &str) -> anyhow::Result<Outcome> {
        let args = &self.args;
        let api = Api::new(url, args.connections.into())?;
        let dataset = Stats::read(&api)
            .await
            .with_context(|| format!("{url} does not answer like the web-api example"))?
            .dataset;

        let ids = draw(dataset.users, args.active_users.get(), args.seed);
        let workload = Workload::new(
            u32::try_from(ids.len())?,
            args.zipf,
            args.write_share,
            Duration::from_millis(args.think_time_ms),
        )?;
        let workload = Arc::new(workload);
        let mut logins = Vec::with_capacity(ids.len());
        for id in ids {
            logins.push((id, api.log_in(id).await?));
        }
        let population = Arc::new(Population::new(logins));

        let start = Instant::now();
        let recorder = Arc::new(Recorder::start(self.warm_up, self.measured)?);
        let mut connections = JoinSet::new();
        for number in 0..args.connections {
            let connection = Connection {
                api: api.clone(),
                workload: Arc::clone(&workload),
                population: Arc::clone(&population),
                recorder: Arc::clone(&recorder),
                day: dataset.last_day.as_str().into(),
                random: StdRng::seed_from_u64(args.seed.wrapping_add(number.into())),
            };
            connections.spawn(connection.run());
        }

        let progress = Progress::new(phase, self.warm_up, self.measured);
        progress.run_until(start + self.warm_up).await;
        let before = Stats::read(&api).await?;
        progress
            .run_until(start + self.warm_up + self.measured)
            .await;
        let after = Stats::read(&api).await?;
        progress.finish();

        connections.shutdown().await;
        let recorder = Arc::into_inner(recorder).context("a connection is still open")?;
        Ok(Outcome {
            phase,
            warm_up: self.warm_up,
            measured: self.measured,
            recorded: recorder.finish(),
            work: after.since(&before),
        })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = &self.args;
        write!(
            formatter,
            "load: {} connections with {} ms think time, {} active users (Zipf {}), {:.1} % writes, seed {}; \
             each phase warms up for {} s, which are not counted, and is measured for {} s",
            args.connections,
            args.think_time_ms,
            args.active_users,
            args.zipf,
            args.write_share * 100.0,
            args.seed,
            args.warm_up,
            args.seconds,
        )
    }
}

/// A bar on a terminal; elsewhere a line per step.
struct Progress {
    bar: ProgressBar,
    start: Instant,
    warm_up: Duration,
}

impl Progress {
    fn new(phase: Phase, warm_up: Duration, measured: Duration) -> Self {
        let total = u64::try_from((warm_up + measured).as_millis()).unwrap_or(u64::MAX);
        let bar = ProgressBar::new(total).with_prefix(phase.to_string());
        if let Ok(style) = ProgressStyle::with_template("{prefix:>10} [{bar:40}] {msg}") {
            bar.set_style(style);
        }
        if bar.is_hidden() {
            println!("{phase}: measuring");
        }
        Self {
            bar,
            start: Instant::now(),
            warm_up,
        }
    }

    async fn run_until(&self, end: Instant) {
        while Instant::now() < end {
            let elapsed = self.start.elapsed();
            let step = if elapsed < self.warm_up {
                "warming up"
            } else {
                "measuring"
            };
            self.bar
                .set_message(format!("{step}, {} s", elapsed.as_secs()));
            self.bar
                .set_position(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
            sleep_until(end.min(Instant::now() + TICK)).await;
        }
    }

    fn finish(&self) {
        self.bar.finish_with_message("done");
    }
}
