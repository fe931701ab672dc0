//! The workers, as the director sees them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use serde::de::DeserializeOwned;

use crate::measure::Measure;
use crate::worker::{Allocations, READY, Request};
use crate::workload::Slice;

/// A worker, which ends with its handle.
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts this program as a worker, and waits until it is prepared.
    pub(crate) fn start(measure: Measure, subject: &str, redis: &str) -> Result<Self> {
        let program = std::env::current_exe()?;
        Self::run(Command::new(program).arg("worker"), measure, subject, redis)
    }

    /// What one call allocates, in a process whose allocator counts: counting takes time, so the others do without.
    pub(crate) fn allocations(
        measure: Measure,
        subject: &str,
        redis: &str,
    ) -> Result<Option<Allocations>> {
        let program = env!("CARGO_BIN_EXE_allocations");
        let mut process = Self::run(&mut Command::new(program), measure, subject, redis)?;
        process.ask(&Request::Allocations)
    }

    fn run(command: &mut Command, measure: Measure, subject: &str, redis: &str) -> Result<Self> {
        let measure = measure.to_possible_value().context("a name")?;
        let mut child = command
            .args([measure.get_name(), subject, redis])
            .env_remove("CACHE_ENABLED")
            .env_remove("REDIS_ENABLED")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let mut process = Self {
            child,
            input,
            output,
        };
        let said: String = process
            .read()
            .with_context(|| format!("{subject} did not start"))?;
        ensure!(said == READY);
        Ok(process)
    }

    /// Lets it call for a while.
    pub(crate) fn slice(&mut self, callers: usize, length: Duration) -> Result<Slice> {
        self.ask(&Request::Slice { callers, length })
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

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
