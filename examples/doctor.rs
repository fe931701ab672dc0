//! What is wrong with the cache that the environment names, and what to do: `cargo run --example doctor`.
//!
//! Ends with 0 if all is well, with 1 if something may hurt, with 2 if something does not work.

use std::process::ExitCode;

use cache_runtime::{Verdict, global};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let diagnosis = global().doctor().await;
    print!("{diagnosis}");
    match diagnosis.verdict() {
        Verdict::Ok => ExitCode::SUCCESS,
        Verdict::Warning => ExitCode::from(1),
        Verdict::Failure => ExitCode::from(2),
    }
}
