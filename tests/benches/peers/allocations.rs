//! A worker under an allocator that counts, for `--bench peers`.

#![allow(dead_code, reason = "these modules are shared with the director")]

mod measure;
mod subjects;
mod user;
mod worker;
mod workload;

use anyhow::Result;
use clap::Parser;

use crate::worker::{Allocations, Task};

/// Measures one subject, as the director asks.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    task: Task,
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn main() -> Result<()> {
    worker::serve(Args::parse().task, |calls| {
        let seen = allocation_counter::measure(calls);
        Some(Allocations {
            count: seen.count_total as f64,
            bytes: seen.bytes_total as f64,
        })
    })
}
