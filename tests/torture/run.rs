//! One run: servers, lines, workers and faults; then rest, and a last look at every key.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cache_runtime::__private::{apply_step, apply_step_to_all};
use cache_runtime::slot::{Step, Token};
use cache_runtime::{Cache, CacheConfig, Key, Policy};
use cache_tests::RedisServer;

use crate::check::Checker;
use crate::clock::Moment;
use crate::database::Server;
use crate::faults::{Fault, Kind, Schedule};
use crate::fleet::{Court, Fleet, Orders};
use crate::knobs::{FENCE, LEASE};
use crate::mutants::{Mutant, Rewriter};
use crate::proxy::Line;
use crate::storm::Storm;

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) lasts: Duration,
    pub(crate) seed: u64,
    pub(crate) workers: usize,
    /// A broken rule; the run then ends as soon as it is found.
    pub(crate) mutant: Option<&'static Mutant>,
}

/// While the workers start, nothing is judged that needs calm.
const START: Duration = Duration::from_millis(500);

/// When a run ends whose mutant can only be found at the end.
const SOON: Duration = Duration::from_secs(15);

/// How often it is asked whether a mutant is found.
const LOOK: Duration = Duration::from_millis(50);

/// Runs, and returns the checker with its judgement.
pub(crate) async fn run(settings: Settings) -> io::Result<Court> {
    let redis = tokio::task::spawn_blocking(RedisServer::start)
        .await
        .map_err(io::Error::other)?;
    let port = redis.port();
    let rewriter = Arc::new(Rewriter::new(settings.mutant));
    load_scripts(port, &rewriter).await?;

    let start = Moment::now();
    let court = Court::new(Checker::new(start));
    let bench = court.clone();
    let database = Server::start(Box::new(move |commit| bench.lock().commit(commit))).await?;
    let mut lines = Vec::new();
    for _ in 0..settings.workers {
        lines.push(Line::open(port, rewriter.clone()).await?);
    }
    let orders = Orders {
        seed: settings.seed,
        database,
        fault: settings.mutant.and_then(Mutant::fault),
    };
    let mut fleet = Fleet::start(court.clone(), orders, lines)?;
    tokio::spawn(watch_the_clock(court.clone()));

    let mut storm = Storm::new(court.clone(), redis, settings.seed);
    let starting = Fault {
        kind: Kind::Start,
        pause: Duration::ZERO,
        lasts: START,
        worker: 0,
    };
    storm.bring_about(starting, &mut fleet).await?;
    let lasts = match settings.mutant {
        Some(mutant) if mutant.shows_at_the_end() => settings.lasts.min(SOON),
        _ => settings.lasts,
    };
    let deadline = start + lasts;
    let is_found = || {
        let figures = court.lock().figures();
        settings
            .mutant
            .is_some_and(|mutant| mutant.is_shown_by(figures))
    };
    let is_over = || is_found() || Moment::now() >= deadline;
    for fault in Schedule::new(settings.seed, settings.workers) {
        let began = Moment::now();
        while Moment::now().since(began) < fault.pause && !is_over() {
            tokio::time::sleep(LOOK).await;
        }
        if is_over() {
            break;
        }
        fleet.tend().await?;
        storm.bring_about(fault, &mut fleet).await?;
    }
    fleet.tend().await?;
    if !is_found() {
        fleet.review(FENCE + LEASE).await;
    }
    fleet.stop().await?;
    court.lock().judge_rest();
    Ok(court)
}

/// Notes when the controller, and with it the database and the lines, did not run.
async fn watch_the_clock(court: Court) {
    const PULSE: Duration = Duration::from_millis(10);
    let mut last = Moment::now();
    loop {
        tokio::time::sleep(PULSE).await;
        let now = Moment::now();
        if now.since(last) > PULSE * 10 {
            court.lock().stalled(last, now);
        }
        last = now;
    }
}

/// Has every script loaded once through a line, so that a mutant whose rule is nowhere to be found is an error at once.
async fn load_scripts(redis: u16, rewriter: &Arc<Rewriter>) -> io::Result<()> {
    let line = Line::open(redis, rewriter.clone()).await?;
    let url = format!("redis://127.0.0.1:{}", line.port());
    let config = CacheConfig::redis(&url).map_err(io::Error::other)?;
    let cache = Cache::new(config.namespace("probe")).map_err(io::Error::other)?;
    let (all, ttl) = (Key::of("probe"), Duration::from_secs(60));
    let key = all.clone().part(&1_u64);
    // A broken script may answer anything.
    let _ = cache
        .get_or_load(&key, Policy::new(ttl), async || {
            Ok::<_, ()>("probe".to_owned())
        })
        .await;
    let _ = cache.invalidate_pattern(&all).await;
    let _ = cache.invalidate(&key).await;
    let token = Token::next();
    for step in [
        Step::Renew(token),
        Step::Release(token),
        Step::Raise(token),
        Step::Hold(token),
        Step::Lower(token),
        Step::Put(token, Vec::new().into()),
    ] {
        let _ = apply_step(&cache, &key, step, ttl).await;
    }
    let over = None;
    for step in [
        Step::Acquire { lease: token, over },
        Step::Fill(token, Vec::new().into()),
    ] {
        let _ = apply_step_to_all(&cache, std::slice::from_ref(&key), &step, ttl).await;
    }
    if rewriter.is_in_effect() {
        Ok(())
    } else {
        Err(io::Error::other(
            "no script contains the rule that is to be broken: the mutant is out of date",
        ))
    }
}
