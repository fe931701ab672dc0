//! What a worker does: a process for each subject of a table, whose memory, CPU time and global state are its own.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::measure::Measure;
use crate::subjects::{self, Place};

/// What a worker is to do.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Task {
    pub(crate) measure: Measure,
    pub(crate) subject: String,
    pub(crate) redis: String,
}

/// Tokio's own default on a machine of two cores, fixed so that figures from larger ones can be compared.
const RUNTIME_THREADS: usize = 2;

/// What a worker is asked, a line each.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// To call for so long, from so many threads or tasks.
    Slice { callers: usize, length: Duration },
    /// What a call allocates.
    Allocations,
}

/// Allocations: of many calls, or of one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Allocations {
    pub(crate) count: f64,
    pub(crate) bytes: f64,
}

impl Allocations {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52 calls")]
    fn of_one(self, calls: usize) -> Self {
        let calls = calls as f64;
        Self {
            count: self.count / calls,
            bytes: self.bytes / calls,
        }
    }
}

/// What something allocates on this thread; `None` in a program whose allocator does not count.
pub(crate) type Count = fn(&mut dyn FnMut()) -> Option<Allocations>;

/// What it says when it is prepared.
pub(crate) const READY: &str = "ready";

/// Prepares, says so, and answers until its input ends.
pub(crate) fn serve(task: Task, count: Count) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(RUNTIME_THREADS)
        .enable_all()
        .build()?;
    let place = Place {
        runtime: runtime.handle().clone(),
        redis: task.redis,
    };
    let prepare = subjects::named(&task.subject)
        .and_then(|subject| subject.prepares(task.measure))
        .context("no such subject")?;
    let workload = prepare(&place)?;
    answer(&READY)?;
    for line in std::io::stdin().lines() {
        match serde_json::from_str(&line?)? {
            Request::Slice { callers, length } => answer(&workload.slice(callers, length))?,
            Request::Allocations => {
                let mut calls = None;
                let all = count(&mut || calls = workload.batch());
                answer(&all.zip(calls).map(|(all, calls)| all.of_one(calls)))?;
            }
        }
    }
    Ok(())
}

fn answer(what: &impl Serialize) -> Result<()> {
    let mut output = std::io::stdout().lock();
    serde_json::to_writer(&mut output, what)?;
    writeln!(output)?;
    Ok(output.flush()?)
}
