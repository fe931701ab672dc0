//! Measures what the cache of the web-api example is worth: the same load against the same database, first with the
//! cache switched off, then with it switched on.
//!
//! The load comes over HTTP from this process; the service, and Redis if there is one, run in processes of their own.

mod api;
mod args;
mod artillery;
mod chart;
mod connection;
mod measures;
mod phase;
mod population;
mod recorder;
mod report;
mod servers;
mod stats;
mod workload;

use std::path::Path;

use anyhow::Context;

pub use args::Args;

use crate::measures::{Measures, Seen};
use crate::phase::{Load, Outcome, Phase};
use crate::report::Report;
use crate::servers::{Service, Store};

/// Runs the load test and prints the report; returns whether all measures of success were met (or not to be checked).
///
/// The servers it starts are killed when it returns, fails or is dropped.
///
/// # Errors
///
/// When the service or Redis cannot be started, the service cannot be set up, or a file cannot be written.
pub async fn run(args: &Args) -> anyhow::Result<bool> {
    if let Some(program) = &args.artillery {
        return artillery(args, program).await;
    }
    let load = Load::new(args);
    println!("{load}");
    let phases = if let Some(url) = &args.url {
        vec![load.run(Phase::Given, url).await?]
    } else {
        both(args, &load).await?
    };

    let seen: Vec<_> = phases.iter().map(Seen::from).collect();
    let measures = Measures::of(&seen);
    let report = Report::new(&load, &phases, &measures);
    println!("\n{report}");
    chart::draw(&args.svg, &phases)
        .with_context(|| format!("cannot draw {}", args.svg.display()))?;
    println!("latency over time: {}", args.svg.display());
    if let Some(path) = &args.json {
        report.write_json(path)?;
        println!("all figures: {}", path.display());
    }
    Ok(measures.are_met(args.checked()))
}

/// The same with artillery, which sends a mix of its own.
async fn artillery(args: &Args, program: &Path) -> anyhow::Result<bool> {
    let executable = servers::build().await?;
    let store = Store::start(args.redis_url.as_deref()).await?;
    println!(
        "load: artillery, {} requests per second for {} s; store: {store}",
        artillery::RATE,
        args.seconds
    );
    let (mut phases, mut work) = (Vec::new(), Vec::new());
    for phase in [Phase::CacheOff, Phase::CacheOn] {
        println!("{phase}: measuring");
        let service = Service::start(&executable, args, phase, &store).await?;
        let (seen, done) = artillery::run(program, args, phase, service.url()).await?;
        service.stop().await?;
        phases.push(seen);
        work.push(done);
    }
    let measures = Measures::of(&phases);
    println!("\n{}\n", report::templates(work.iter()));
    if let Some(last) = work.last() {
        println!("{}\n", report::shown(last));
    }
    println!("{}", report::judgement(&measures));
    Ok(measures.are_met(args.checked()))
}

/// Starts the service twice, without and with its cache.
async fn both(args: &Args, load: &Load) -> anyhow::Result<Vec<Outcome>> {
    let executable = servers::build().await?;
    let store = Store::start(args.redis_url.as_deref()).await?;
    println!("store: {store}");
    let mut phases = Vec::new();
    for phase in [Phase::CacheOff, Phase::CacheOn] {
        let service = Service::start(&executable, args, phase, &store).await?;
        phases.push(load.run(phase, service.url()).await?);
        service.stop().await?;
    }
    Ok(phases)
}
