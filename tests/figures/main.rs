//! What the README promises, as figures: `cargo run --release -p cache-tests --bin figures`.
//!
//! Stampedes on each store and over four processes, leaders that are dropped, bodies that fail, and a Redis that is refused,
//! hung or garbled; how soon a local tier follows, and a fleet its switch; and what a pattern and a tag cost. Starts the servers and processes it needs, and stops them.

mod batch;
mod counting;
mod fleet;
mod local;
mod many;
mod outages;
mod staleness;

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cache_runtime::cached;
use cache_tests::RedisServer;
use cache_tests::stampede::{self, BODY};
use tokio::task::JoinSet;

const CALLERS: usize = 500;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("stampede") => block_on(stampede::take_part(CALLERS / 4)),
        Some("measure") => block_on(measure()),
        Some("counting") => counting::measure(),
        Some("batch") => block_on(batch::measure()),
        Some("staleness") => block_on(staleness::measure()),
        Some("fleet") => block_on(fleet::measure()),
        Some("many") => block_on(many::measure()),
        Some("watch") => block_on(outages::watch()),
        _ => {
            let server = RedisServer::start();
            println!(
                "{CALLERS} callers of one cold key, a body of {} ms\n",
                BODY.as_millis()
            );
            println!(
                "{:<44}{:<10}{:>10}{:>16}",
                "what", "store", "runs", "slowest caller"
            );
            run_self("measure", None);
            run_self("measure", Some(&server.url()));
            four_processes(&server);
            println!("\nA Redis at fault, store budget 250 ms\n");
            block_on(outages::measure());
            println!("\nAn invalidation, in the local tier of another process\n");
            block_on(local::measure());
            println!("\nOne invalidation for many keys\n");
            block_on(many::measure());
            println!(
                "\nAn hour of expiries, `stale_while_revalidate`, a source that takes 500 ms\n"
            );
            block_on(staleness::measure());
            println!("\nThe switch of the fleet\n");
            block_on(fleet::measure());
            println!("\nMany keys in one call\n");
            block_on(batch::measure());
            println!("\nCounting\n");
            counting::measure();
        }
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(future);
}

/// This program once more, in an environment that names this Redis and nothing else of ours.
fn this_program(task: &str, url: Option<&str>) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(task);
    for name in [
        "REDIS_HOST",
        "CACHE_ENABLED",
        "REDIS_ENABLED",
        "CACHE_NAMESPACE",
        "CACHE_EPOCH",
    ] {
        command.env_remove(name);
    }
    match url {
        Some(url) => command.env("REDIS_URL", url),
        None => command.env_remove("REDIS_URL"),
    };
    command
}

fn run_self(task: &str, url: Option<&str>) {
    assert!(
        this_program(task, url)
            .status()
            .is_ok_and(|status| status.success())
    );
}

fn four_processes(server: &RedisServer) {
    let outcome = stampede::direct((0..4).map(|_| this_program("stampede", Some(&server.url()))));
    row(
        "over four processes",
        "redis",
        outcome.runs.iter().sum(),
        outcome.slowest_ms,
    );
}

fn row(what: &str, store: &str, runs: usize, slowest_ms: u128) {
    println!("{what:<44}{store:<10}{runs:>10}{slowest_ms:>13} ms");
}

#[derive(Clone, Debug)]
struct Shareable;

#[derive(Debug)]
struct Unique;

#[derive(Clone, Copy)]
enum Plan {
    Succeed,
    FirstHangs,
    Fail,
}

static RUNS: AtomicUsize = AtomicUsize::new(0);

impl Plan {
    async fn run(self) -> Result<u64, Unique> {
        let number = RUNS.fetch_add(1, Ordering::SeqCst) + 1;
        match self {
            Self::FirstHangs if number == 1 => std::future::pending().await,
            _ => tokio::time::sleep(BODY).await,
        }
        if matches!(self, Self::Fail) {
            Err(Unique)
        } else {
            Ok(7)
        }
    }
}

#[cached(key = "figures:<what>", ttl = "1h", skip(plan))]
async fn shareable(what: &str, plan: Plan) -> Result<u64, Shareable> {
    plan.run().await.map_err(|Unique| Shareable)
}

#[cached(key = "figures:<what>", ttl = "1h", skip(plan))]
async fn unique(what: &str, plan: Plan) -> Result<u64, Unique> {
    plan.run().await
}

async fn measure() {
    let store = if std::env::var_os("REDIS_URL").is_some() {
        "redis"
    } else {
        "embedded"
    };
    // Connected before the start.
    let _ = shareable("first", Plan::Succeed).await;
    for (what, plan, clones, drop_leader) in [
        ("in one process", Plan::Succeed, true, false),
        (
            "with the leader dropped half-way",
            Plan::FirstHangs,
            true,
            true,
        ),
        (
            "with a body that fails, error is Clone",
            Plan::Fail,
            true,
            false,
        ),
        (
            "with a body that fails, error is not Clone",
            Plan::Fail,
            false,
            false,
        ),
    ] {
        RUNS.store(0, Ordering::SeqCst);
        let started = Instant::now();
        let call = move || async move {
            if clones {
                shareable(what, plan).await.is_ok()
            } else {
                unique(what, plan).await.is_ok()
            }
        };
        let leader = tokio::spawn(call());
        while RUNS.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let others: JoinSet<_> = (1..CALLERS).map(|_| call()).collect();
        if drop_leader {
            tokio::time::sleep(BODY / 2).await;
            leader.abort();
        }
        let all = others.join_all().await;
        let _ = leader.await;
        assert!(
            all.iter().all(|ok| *ok != matches!(plan, Plan::Fail)),
            "a wrong outcome"
        );
        row(
            what,
            store,
            RUNS.load(Ordering::SeqCst),
            started.elapsed().as_millis(),
        );
    }
}

fn median(mut times: Vec<std::time::Duration>) -> std::time::Duration {
    times.sort();
    times[times.len() / 2]
}
