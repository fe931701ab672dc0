//! The command line.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Parser, value_parser};

use crate::measures::Checked;

/// Measures what the cache of the web-api example is worth.
///
/// Builds and starts the example itself, puts the same load on it with the cache off and on, and compares.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// How long each phase is measured, in seconds.
    #[arg(long, default_value = "20", value_parser = value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,

    /// How long the load runs before each measurement, in seconds.
    #[arg(long, default_value = "15", value_parser = value_parser!(u64).range(..=3_600))]
    pub warm_up: u64,

    /// How many connections send requests, each the next one only after the last is answered.
    #[arg(long, default_value = "32", value_parser = value_parser!(u16).range(1..=1_024))]
    pub connections: u16,

    /// How long a connection waits on average between an answer and its next request, in milliseconds. With 0 the
    /// machine is saturated with or without a cache, and all latency is waiting for the processor.
    #[arg(long, default_value = "20", value_parser = value_parser!(u64).range(..=60_000))]
    pub think_time_ms: u64,

    /// How many users the database holds. Only for the service that it starts itself.
    #[arg(long, default_value = "50000")]
    pub users: NonZeroU32,

    /// How many of them are around during the test.
    #[arg(long, default_value = "500")]
    pub active_users: NonZeroU32,

    /// The exponent of the Zipf distribution of requests over the active users: with 0 all are alike.
    #[arg(long, default_value = "1.0", value_parser = exponent)]
    pub zipf: f64,

    /// The part of requests that change something: 0 to 1.
    #[arg(long, default_value = "0.02", value_parser = share)]
    pub write_share: f64,

    /// The seed of everything random. The same seed sends the same sequence of requests on each connection.
    #[arg(long, default_value = "1")]
    pub seed: u64,

    /// The Redis to use. Without one, `redis-server` is started if it is installed; else the embedded store serves.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    pub redis_url: Option<String>,

    /// A service that already runs, such as `http://127.0.0.1:3000`. It is measured as it is, in one phase.
    #[arg(long, conflicts_with_all = ["users", "redis_url"])]
    pub url: Option<String>,

    /// Has artillery, this program, send the load, by the mix in `examples/load-test/artillery/mix.yml`: warmed up and measured for as long as said
    /// above, at 150 requests a second. What else is said of the load is not for it, and what it is answered is not checked.
    #[arg(long, conflicts_with_all = ["url", "json"])]
    pub artillery: Option<PathBuf>,

    /// Where to draw latency over time.
    #[arg(long, default_value = "target/load-test.svg")]
    pub svg: PathBuf,

    /// Where to write all figures as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,

    /// Only print: exit with 0 even if a measure of success is missed.
    #[arg(long)]
    pub no_check: bool,

    /// Miss no measure for being slow: for a machine that does other things meanwhile.
    #[arg(long)]
    pub no_time_check: bool,
}

impl Args {
    /// Which measures of success it fails for.
    pub(crate) fn checked(&self) -> Checked {
        if self.no_check {
            Checked::Nothing
        } else if self.no_time_check {
            Checked::Untimed
        } else {
            Checked::All
        }
    }
}

fn share(argument: &str) -> Result<f64, String> {
    match argument.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) => Err("it must be between 0 and 1".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn exponent(argument: &str) -> Result<f64, String> {
    match argument.parse() {
        Ok(exponent) if (0.0..=10.0).contains(&exponent) => Ok(exponent),
        Ok(_) => Err("it must be between 0 and 10".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
