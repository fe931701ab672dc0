//! This crate and what a user would take instead, measured side by side:
//! `cargo bench -p cache-tests --features peers --bench peers`.
//!
//! Each subject runs in a process of its own, against a Redis of its table's own. The processes take turns, round after round; a
//! table shows medians. Writes `BENCHMARKS.md`.

mod args;
mod bounds;
mod build;
mod codecs;
mod commands;
mod machine;
mod measure;
mod process;
mod report;
mod results;
mod stampede;
mod statistics;
mod subjects;
mod table;
mod user;
mod worker;
mod workload;

use anyhow::Result;
use clap::Parser as _;

use crate::args::{Args, Part, Role};
use crate::build::Costs;
use crate::codecs::Codecs;
use crate::results::Results;
use crate::stampede::Stampede;
use crate::table::Table;

fn main() -> Result<()> {
    let args = Args::parse();
    match args.role {
        Some(Role::Worker(task)) => worker::serve(task, |_| None),
        Some(Role::Stampede) => stampede::take_part(),
        None => direct(&args),
    }
}

fn direct(args: &Args) -> Result<()> {
    let (date, effort) = (machine::today(), args.effort());
    let mut results = if args.quick {
        Results::default()
    } else {
        Results::load()
    };
    for part in args.parts() {
        match part {
            Part::Table(measure) => results.replace(Table::measured(measure, effort, &date)?),
            Part::Stampede => results.stampede = Some(Stampede::measured(effort.rounds, &date)?),
            Part::Codecs => {
                let codecs = Codecs::measured(effort.rounds, effort.local / 4, &date)?;
                results.codecs = Some(codecs);
            }
            Part::Build => results.build = Some(Costs::measured(effort.builds, &date)?),
        }
        if !args.quick {
            results.save()?;
        }
    }
    let page = report::of(&results);
    if args.quick {
        println!("{page}");
    } else {
        std::fs::write(report::PATH, page)?;
        println!("written: {}", report::PATH);
    }
    Ok(())
}
