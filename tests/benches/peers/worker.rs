//! A process for each subject of a table: its memory, its CPU time and its global state are its own.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::measure::Measure;
use crate::subjects::{self, Place};
use crate::workload::{Allocations, Slice};

/// What a worker is to do.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Task {
    measure: Measure,
    subject: String,
    redis: String,
}

/// Tokio's own default on a machine of two cores, fixed so that figures from larger ones can be compared.
const RUNTIME_THREADS: usize = 2;

#[derive(Debug, Serialize, Deserialize)]
enum Request {
    Slice { callers: usize, length: Duration },
    Allocations,
}

/// The worker's side: prepares, says so, and answers one request a line until its input ends.
pub(crate) fn serve(task: Task) -> Result<()> {
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
    answer(&"ready")?;
    for line in std::io::stdin().lines() {
        match serde_json::from_str(&line?)? {
            Request::Slice { callers, length } => answer(&workload.slice(callers, length))?,
            Request::Allocations => answer(&workload.allocations())?,
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

/// The other side: the process, which ends with its handle.
pub(crate) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a process and waits until it is prepared.
    pub(crate) fn start(measure: Measure, subject: &str, redis: &str) -> Result<Self> {
        let measure = clap::ValueEnum::to_possible_value(&measure).context("a name")?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["worker", measure.get_name(), subject, redis])
            .env_remove("CACHE_ENABLED")
            .env_remove("REDIS_ENABLED")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let mut worker = Self {
            child,
            input,
            output,
        };
        let said: String = worker
            .read()
            .with_context(|| format!("{subject} did not start"))?;
        ensure!(said == "ready");
        Ok(worker)
    }

    /// Lets it call for a while.
    pub(crate) fn slice(&mut self, callers: usize, length: Duration) -> Result<Slice> {
        self.ask(&Request::Slice { callers, length })
    }

    /// What one call of it allocates, where that can be told.
    pub(crate) fn allocations(&mut self) -> Result<Option<Allocations>> {
        self.ask(&Request::Allocations)
    }

    /// The most memory that it has had, in bytes. Only Linux tells.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T> {
        let input = self.input.as_mut().context("its input")?;
        serde_json::to_writer(&mut *input, request)?;
        input.write_all(b"\n")?;
        self.read()
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
