//! A process of its own with the cache of its environment, for the tests that need one.
//!
//! `worker stampede CALLERS` waits for a line of input, then calls one cold key that often at once.
//! `worker switch` reads a key twice, changes it, and reads it twice again.
//! `worker obey` reads a key for each line of input, and tells after each how often the body has run, and the mode.
//! `worker throw on|off` throws the switch of the fleet, and ends.
//! `worker crash fenced|plain|transaction` commits to the file that `DATABASE` names, and dies before its invalidation.
//! The first two print how often the body ran, and the outcome that a test asks about.

#![allow(
    clippy::expect_used,
    reason = "a worker that cannot do its task is to fail"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cache_runtime::{cached, global, invalidates, transaction};
use cache_tests::stampede;

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cached(key = "worker:<id>", ttl = "1h")]
async fn read(id: u64) -> Arc<str> {
    RUNS.fetch_add(1, Ordering::SeqCst);
    id.to_string().into()
}

#[invalidates("worker:<id>")]
async fn change(id: u64) {}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let args: Vec<_> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["stampede", callers] => {
            stampede::take_part(callers.parse().expect("a number of callers")).await;
        }
        ["switch"] => switch().await,
        ["obey"] => obey().await,
        ["throw", to] => {
            let on = to == "on";
            let thrown = global().switch_fleet(on, "a worker").await;
            thrown.expect("Redis to take it");
        }
        ["crash", "fenced"] => fenced_crash().await,
        ["crash", "plain"] => plain_crash().await,
        ["crash", "transaction"] => transaction(changed_and_crash()).await,
        _ => panic!(
            "`stampede CALLERS`, `switch`, `obey`, `throw on|off` or `crash fenced|plain|transaction`"
        ),
    }
}

async fn obey() {
    let lines = std::iter::from_fn(|| std::io::stdin().lines().next());
    for line in lines {
        line.expect("a line");
        read(1).await;
        println!(
            "runs={} mode={:?}",
            RUNS.load(Ordering::SeqCst),
            global().mode()
        );
    }
}

async fn switch() {
    for _ in 0..2 {
        read(1).await;
    }
    change(1).await;
    for _ in 0..2 {
        read(1).await;
    }
    println!(
        "runs={} mode={:?}",
        RUNS.load(Ordering::SeqCst),
        global().mode()
    );
}

#[invalidates("crash", fence)]
async fn fenced_crash() {
    commit_and_die();
}

#[invalidates("crash")]
async fn plain_crash() {
    commit_and_die();
}

async fn changed_and_crash() {
    fenced_change().await;
    commit_and_die();
}

#[invalidates("crash", fence)]
async fn fenced_change() {}

fn commit_and_die() {
    std::fs::write(std::env::var_os("DATABASE").expect("a file"), "new").expect("to commit");
    std::process::abort();
}
