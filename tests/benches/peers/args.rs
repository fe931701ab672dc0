//! The command line.

use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Parser, Subcommand, ValueEnum};

use crate::measure::Measure;
use crate::table::Effort;
use crate::worker::Task;

/// Measures this crate and its peers, and writes BENCHMARKS.md.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    /// A short run to see that everything works: prints its tables, and leaves BENCHMARKS.md as it is.
    #[arg(long)]
    pub(crate) quick: bool,

    /// How often each subject has its turn.
    #[arg(long, default_value_t = 15)]
    rounds: usize,

    /// How often each build is done.
    #[arg(long, default_value_t = 3)]
    builds: usize,

    /// Measures only this, and keeps what the last run says of the rest.
    #[arg(long, value_enum)]
    only: Vec<Part>,

    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,

    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What this process is for, if it does not direct the others.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Measures one subject, as the director asks.
    #[command(hide = true)]
    Worker(Task),
    /// Calls a cold key.
    #[command(hide = true)]
    Stampede,
}

/// One part of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Table(Measure),
    Stampede,
    Codecs,
    Build,
}

impl ValueEnum for Part {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Table(Measure::LocalArc),
            Self::Table(Measure::LocalStruct),
            Self::Table(Measure::RedisHit),
            Self::Table(Measure::RedisMiss),
            Self::Table(Measure::Off),
            Self::Table(Measure::KeyBuild),
            Self::Stampede,
            Self::Codecs,
            Self::Build,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Table(measure) => measure.to_possible_value(),
            Self::Stampede => Some(PossibleValue::new("stampede")),
            Self::Codecs => Some(PossibleValue::new("codecs")),
            Self::Build => Some(PossibleValue::new("build")),
        }
    }
}

impl Args {
    /// What is to be measured. The builds take minutes, so a quick run does without.
    pub(crate) fn parts(&self) -> Vec<Part> {
        if self.only.is_empty() {
            let all = Part::value_variants().iter().copied();
            all.filter(|part| !(self.quick && *part == Part::Build))
                .collect()
        } else {
            self.only.clone()
        }
    }

    pub(crate) fn effort(&self) -> Effort {
        if self.quick {
            Effort {
                rounds: 3,
                local: Duration::from_millis(5),
                remote: Duration::from_millis(30),
                builds: 1,
            }
        } else {
            Effort {
                rounds: self.rounds,
                local: Duration::from_millis(60),
                remote: Duration::from_millis(300),
                builds: self.builds,
            }
        }
    }
}
