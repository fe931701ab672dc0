//! A worker process: callers that read and mutate through the cache as a service does, and tell of each call.

mod calling;
mod change;
mod journal;
mod mutating;
mod reading;
mod repository;
mod scenes;
mod source;
mod switch;
mod traffic;
mod transacting;

use std::io;
use std::sync::Arc;

use cache_runtime::{Cache, CacheConfig, Mode, global, install};
use clap::Args;
use fastrand::Rng;
use tokio::io::BufReader;
use tokio::task::JoinSet;

use crate::clock::Moment;
use crate::database::Database;
use crate::knobs::{CALLERS, DELIVERY, FENCE, KEYS, LEASE, STORE_BUDGET};
use crate::lines;
use crate::mutants::Fault;
use crate::record::{Command, Process, Record};
use journal::Journal;
use switch::Switch;
use traffic::Caller;

/// How a worker is started.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Settings {
    #[arg(long)]
    pub(crate) process: u32,
    #[arg(long)]
    pub(crate) seed: u64,
    #[arg(long)]
    pub(crate) redis: u16,
    #[arg(long)]
    pub(crate) database: u16,
    /// What this worker does wrong itself.
    #[arg(long)]
    pub(crate) fault: Option<Fault>,
}

/// Runs until the input ends, and with it the controller.
pub(crate) async fn run(settings: Settings) -> io::Result<()> {
    let config = CacheConfig::redis(&format!("redis://127.0.0.1:{}", settings.redis))
        .map_err(io::Error::other)?
        .fence(FENCE)
        .lease(LEASE)
        .store_budget(STORE_BUDGET)
        .tracking(settings.fault != Some(Fault::KeepsOn));
    let cache = Cache::new(config).map_err(io::Error::other)?;
    install(cache).map_err(io::Error::other)?;

    let journal = Arc::new(Journal::new(Process(settings.process)));
    tokio::spawn(journal.clone().tell());
    let database = Arc::new(Database::connect(settings.database).await?);

    let switch = Arc::new(Switch::default());

    let caller = |number| {
        let seed = settings.seed ^ u64::from(settings.process) << 32 ^ number << 56;
        Caller {
            database: database.clone(),
            journal: journal.clone(),
            switch: switch.clone(),
            random: Rng::with_seed(seed),
            fault: settings.fault,
        }
    };
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(caller(number).call_on());
    }

    let mut input = BufReader::new(tokio::io::stdin());
    let mut line = Vec::new();
    while let Some(command) = lines::read(&mut input, &mut line).await? {
        match command {
            Command::Switch { on } => {
                switch.throw(if on { Mode::On } else { Mode::Off })?;
            }
            Command::Advance => {
                // What fails is made up for, and counts as undelivered until then.
                tokio::spawn(global().advance_epoch());
            }
            Command::Die { key, after_ms } => {
                let mut caller = caller(CALLERS);
                tokio::spawn(async move { caller.die(key, after_ms).await });
            }
            Command::Rest => {
                journal.rest();
                while callers.join_next().await.is_some() {}
                let undelivered = settle().await;
                let twice = u64::from(settings.fault == Some(Fault::CountsTwice));
                journal.push(Record::Quiet {
                    undelivered,
                    begun: switch.begun(),
                    counted: global().stats().calls() + twice,
                });
            }
            Command::Review => {
                let mut caller = caller(CALLERS);
                for key in 0..KEYS {
                    caller.review(key).await;
                }
                journal.push(Record::Reviewed);
            }
        }
    }
    Ok(())
}

/// Waits for the delivery of what is undelivered; what is left after a generous time.
async fn settle() -> usize {
    let started = Moment::now();
    while global().undelivered() > 0 && Moment::now().since(started) < DELIVERY {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    global().undelivered()
}
