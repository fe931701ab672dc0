//! 500 callers in four processes want one cold key at once.

use std::process::Command;

use anyhow::Result;
use cache_tests::RedisServer;
use cache_tests::stampede::{self, BODY};
use serde::{Deserialize, Serialize};

use crate::statistics::median;

/// How long the body takes, in milliseconds.
#[allow(clippy::cast_precision_loss, reason = "50")]
pub(crate) const BODY_MS: f64 = BODY.as_millis() as f64;

/// How many callers each process has.
const CALLERS: usize = 125;

/// What was seen, each time.
#[derive(Serialize, Deserialize)]
pub(crate) struct Stampede {
    pub(crate) date: String,
    loads: Vec<usize>,
    slowest_ms: Vec<f64>,
}

impl Stampede {
    /// Lets it happen so many times, each on a new server.
    pub(crate) fn measured(rounds: usize, date: &str) -> Result<Self> {
        let mut seen = Self {
            date: date.to_owned(),
            loads: Vec::new(),
            slowest_ms: Vec::new(),
        };
        for round in 0..rounds {
            eprintln!("stampede: round {} of {rounds}", round + 1);
            let server = RedisServer::start();
            let program = std::env::current_exe()?;
            let outcome = stampede::direct((0..4).map(|_| {
                let mut command = Command::new(&program);
                command.arg("stampede").env("REDIS_URL", server.url());
                for name in [
                    "CACHE_ENABLED",
                    "REDIS_ENABLED",
                    "CACHE_NAMESPACE",
                    "CACHE_EPOCH",
                ] {
                    command.env_remove(name);
                }
                command
            }));
            seen.loads.push(outcome.runs.iter().sum());
            #[allow(clippy::cast_precision_loss, reason = "milliseconds of a short run")]
            seen.slowest_ms.push(outcome.slowest_ms as f64);
        }
        Ok(seen)
    }

    /// The worst.
    pub(crate) fn most_loads(&self) -> usize {
        self.loads.iter().copied().max().unwrap_or_default()
    }

    /// The median of how long the slowest caller of all waited.
    pub(crate) fn slowest_ms(&self) -> f64 {
        median(self.slowest_ms.iter().copied())
    }

    /// How often it happened.
    pub(crate) fn rounds(&self) -> usize {
        self.loads.len()
    }
}

/// One of the four processes.
pub(crate) fn take_part() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(stampede::take_part(CALLERS));
    Ok(())
}
