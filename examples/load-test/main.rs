//! `cargo run --release --example load-test`
//!
//! Measures the web-api example without and with its cache. Exits with 1 if a measure of success is missed.

use std::process::ExitCode;

use anyhow::bail;
use clap::Parser;
use load_test::Args;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Both servers that it may have started are killed when `run` is dropped.
    let passed = tokio::select! {
        passed = load_test::run(&args) => passed?,
        _ = interrupt.recv() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    };
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
