//! One table: its subjects measured in turns, so that what the machine does meanwhile meets all of them alike.

use std::time::Duration;

use anyhow::{Result, ensure};
use cache_tests::RedisServer;
use serde::{Deserialize, Serialize};

use crate::commands::{self, Commands};
use crate::machine;
use crate::measure::Measure;
use crate::process::Process;
use crate::subjects;
use crate::worker::Allocations;
use crate::workload::Slice;

/// How long and how often.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    pub(crate) local: Duration,
    pub(crate) remote: Duration,
    pub(crate) builds: usize,
}

/// What was measured of one kind.
#[derive(Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) measure: Measure,
    pub(crate) date: String,
    /// The load of the machine before.
    pub(crate) load: Option<f64>,
    /// The base comes first, and a second time as the next row: what lies between the two is noise.
    pub(crate) rows: Vec<Row>,
}

/// One subject.
#[derive(Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) subject: String,
    pub(crate) label: String,
    /// For each number of callers, its rounds.
    pub(crate) slices: Vec<Vec<Slice>>,
    pub(crate) allocations: Option<Allocations>,
    pub(crate) commands: Option<Commands>,
    pub(crate) peak_memory: Option<u64>,
}

impl Table {
    /// Measures, and says on the way what it does.
    pub(crate) fn measured(measure: Measure, effort: Effort, date: &str) -> Result<Self> {
        let load = machine::load();
        let server = RedisServer::start();
        let length = if measure.is_remote() {
            effort.remote
        } else {
            effort.local
        };
        let subjects = subjects::of(measure);
        let mut runs = Vec::new();
        for subject in subjects.first().into_iter().chain(&subjects) {
            let worker = Process::start(measure, subject.name, &server.url())?;
            let row = Row {
                subject: subject.name.to_owned(),
                label: subject.label.to_owned(),
                slices: vec![Vec::new(); measure.callers().len()],
                allocations: if measure.is_remote() {
                    None
                } else {
                    Process::allocations(measure, subject.name, &server.url())?
                },
                commands: None,
                peak_memory: None,
            };
            runs.push((worker, row));
        }
        for (worker, row) in &mut runs {
            if measure.is_remote() {
                let short = Duration::from_millis(50);
                row.commands = Some(commands::watch(&server, || worker.slice(1, short))?);
            }
            for &callers in measure.callers() {
                worker.slice(callers, length)?;
            }
        }
        let many = runs.len();
        for round in 0..effort.rounds {
            eprintln!(
                "{}: round {} of {}",
                measure.title(),
                round + 1,
                effort.rounds
            );
            for (i, &callers) in measure.callers().iter().enumerate() {
                // Another one goes first in each round.
                for turn in 0..many {
                    let (worker, row) = &mut runs[(round + turn) % many];
                    let slice = worker.slice(callers, length)?;
                    let (calls, loads) = (slice.calls, slice.loads);
                    let honest = if measure.misses() {
                        loads == calls
                    } else {
                        loads == 0
                    };
                    ensure!(honest, "{}: {loads} loads in {calls} calls", row.subject);
                    row.slices[i].push(slice);
                }
            }
        }
        let rows = runs.into_iter().map(|(worker, mut row)| {
            row.peak_memory = worker.peak_memory();
            row
        });
        Ok(Self {
            measure,
            date: date.to_owned(),
            load,
            rows: rows.collect(),
        })
    }

    /// The base, and its second row.
    pub(crate) fn base(&self) -> (&Row, &Row) {
        (&self.rows[0], &self.rows[1])
    }

    /// A subject's row.
    pub(crate) fn row(&self, subject: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.subject == subject)
    }
}
