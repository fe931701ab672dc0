//! The promises under faults: `cargo run --release -p cache-tests --bin torture -- --seconds 60 --seed 1`.
//!
//! Several worker processes read and mutate a few hot keys over a versioned database, while workers are killed, callers drop
//! their calls, Redis is frozen, restarted, flushed and evicts, and lines to it are slow, cut and lie. Every call is recorded
//! and [checked](check). The run ends with one line of figures, of which the last five must be 0; otherwise it shows what
//! happened, and exits with 1.
//!
//! `--break MUTANT` is the same with one rule of the protocol broken, and must end with 1; `--break list` names them.
//! `--self-test` runs all of them.

mod check;
mod clock;
mod database;
mod faults;
mod figures;
mod fleet;
mod history;
mod keys;
mod knobs;
mod lines;
mod mutants;
mod proxy;
mod record;
mod report;
mod run;
mod storm;
mod value;
mod violation;
mod worker;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use clock::Moment;
use mutants::{MUTANTS, Mutant};

#[derive(Parser)]
#[command(about = "Checks the promises of the cache under faults")]
struct Args {
    /// How long calls and faults go on.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the faults and the calls are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many worker processes there are.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=32))]
    workers: u8,
    /// Breaks a rule of the protocol, and ends when that is found; `list` names the rules.
    #[arg(long = "break", value_name = "MUTANT")]
    mutant: Option<String>,
    /// Breaks each rule in turn, each for at most `--seconds`; fails if one is not found.
    #[arg(long, conflicts_with = "mutant")]
    self_test: bool,
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// One of the processes that call.
    #[command(hide = true)]
    Worker(worker::Settings),
}

/// Exit code of a run that broke a promise.
const BROKEN: u8 = 1;

/// Exit code of a run that could not be carried out.
const UNABLE: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let done = runtime.and_then(|runtime| runtime.block_on(carry_out(args)));
    done.unwrap_or_else(|error| {
        eprintln!("torture: {error}");
        ExitCode::from(UNABLE)
    })
}

async fn carry_out(args: Args) -> io::Result<ExitCode> {
    if let Some(Task::Worker(settings)) = args.task {
        worker::run(settings).await?;
        // A call that is under way has nobody left to tell.
        std::process::exit(0);
    }
    let settings = run::Settings {
        lasts: Duration::from_secs(args.seconds),
        seed: args.seed,
        workers: usize::from(args.workers),
        mutant: None,
    };
    if args.self_test {
        return self_test(settings).await;
    }
    let mutant = match args.mutant.as_deref() {
        None => None,
        Some("list") => {
            for mutant in MUTANTS {
                println!("{}", mutant.name);
            }
            return Ok(ExitCode::SUCCESS);
        }
        Some(name) => {
            let unknown = || io::Error::other(format!("no mutant `{name}`: see `--break list`"));
            Some(Mutant::named(name).ok_or_else(unknown)?)
        }
    };
    let court = run::run(run::Settings { mutant, ..settings }).await?;
    let checker = court.lock();
    report::print(&checker);
    Ok(if checker.figures().are_clean() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BROKEN)
    })
}

/// Runs every mutant, and tells how long it took to find each.
async fn self_test(settings: run::Settings) -> io::Result<ExitCode> {
    let mut survivors = 0;
    for mutant in MUTANTS {
        let began = Moment::now();
        let court = run::run(run::Settings {
            mutant: Some(mutant),
            ..settings
        })
        .await?;
        let seconds = Moment::now().since(began).as_secs_f64();
        let figures = court.lock().figures();
        let verdict = if mutant.is_shown_by(figures) {
            "found"
        } else {
            survivors += 1;
            "NOT FOUND"
        };
        println!(
            "{:<26}{verdict:<10}{seconds:>6.1} s  {}",
            mutant.name, figures
        );
    }
    println!("mutants={} survivors={survivors}", MUTANTS.len());
    Ok(if survivors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(BROKEN)
    })
}
