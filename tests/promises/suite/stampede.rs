//! Many callers of one cold key.

use std::sync::Arc;
use std::time::Duration;

use cache_runtime::cached;
use tokio::task::JoinSet;

use super::{Runs, Shareable, Unique, fresh};

const CALLERS: usize = 500;
const BODY: Duration = Duration::from_millis(50);

/// How the runs of the body end, by their number.
#[derive(Clone, Copy)]
enum Plan {
    Succeed,
    FirstHangs,
    Fail,
}

impl Plan {
    async fn run(self, runs: &Runs, id: u64) -> Result<u64, &'static str> {
        let number = runs.note();
        match self {
            Self::FirstHangs if number == 1 => std::future::pending().await,
            _ => tokio::time::sleep(BODY).await,
        }
        if matches!(self, Self::Fail) {
            Err("as planned")
        } else {
            Ok(id)
        }
    }
}

#[cached(key = "stampede:<id>", ttl = "1h", skip(plan, runs))]
async fn shareable(id: u64, plan: Plan, runs: &Runs) -> Result<u64, Shareable> {
    plan.run(runs, id).await.map_err(Shareable)
}

#[cached(key = "stampede:<id>", ttl = "1h", skip(plan, runs))]
async fn unique(id: u64, plan: Plan, runs: &Runs) -> Result<u64, Unique> {
    plan.run(runs, id).await.map_err(Unique)
}

/// All results, within a limit: nobody hangs.
async fn all<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut results = Vec::new();
    let collect = async {
        while let Some(result) = tasks.join_next().await {
            results.push(result.expect("no panic"));
        }
    };
    tokio::time::timeout(cache_tests::wait::LIMIT, collect)
        .await
        .expect("nobody hangs");
    results
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_key_is_loaded_once() {
    let (id, runs) = (fresh(), Arc::new(Runs::default()));
    let tasks = (0..CALLERS)
        .map(|_| {
            let runs = runs.clone();
            async move { shareable(id, Plan::Succeed, &runs).await }
        })
        .collect();
    assert_eq!(all(tasks).await, vec![Ok(id); CALLERS]);
    assert_eq!(runs.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_take_over_from_a_dropped_leader() {
    let (id, runs) = (fresh(), Arc::new(Runs::default()));
    let leader = tokio::spawn({
        let runs = runs.clone();
        async move { shareable(id, Plan::FirstHangs, &runs).await }
    });
    cache_tests::eventually("the leader loads", async || runs.count() == 1).await;
    let tasks: JoinSet<_> = (1..CALLERS)
        .map(|_| {
            let runs = runs.clone();
            async move { shareable(id, Plan::FirstHangs, &runs).await }
        })
        .collect();
    // Half-way: the others are in by now, and nothing depends on how many.
    tokio::time::sleep(BODY / 2).await;
    leader.abort();
    assert_eq!(all(tasks).await, vec![Ok(id); CALLERS - 1]);
    assert_eq!(runs.count(), 2, "one more load");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_can_be_cloned_is_shared() {
    let (id, runs) = (fresh(), Arc::new(Runs::default()));
    let leader = tokio::spawn({
        let runs = runs.clone();
        async move { shareable(id, Plan::Fail, &runs).await }
    });
    cache_tests::eventually("the leader loads", async || runs.count() == 1).await;
    // All of these find the lease of the running load, unless the machine takes longer than the body to start them.
    let tasks: JoinSet<_> = (1..CALLERS)
        .map(|_| {
            let runs = runs.clone();
            async move { shareable(id, Plan::Fail, &runs).await }
        })
        .collect();
    assert_eq!(
        all(tasks).await,
        vec![Err(Shareable("as planned")); CALLERS - 1]
    );
    assert_eq!(
        leader.await.expect("a result"),
        Err(Shareable("as planned"))
    );
    // One run for each group of callers that found a lease: far fewer than callers.
    assert!(runs.count() <= CALLERS / 10, "{} runs", runs.count());
}

/// They do not queue up one behind the other: each runs the body at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_cannot_be_cloned_makes_everyone_load_at_once() {
    let (id, runs) = (fresh(), Arc::new(Runs::default()));
    let tasks = (0..CALLERS)
        .map(|_| {
            let runs = runs.clone();
            async move { unique(id, Plan::Fail, &runs).await }
        })
        .collect();
    let results = all(tasks).await;
    assert!(
        results
            .iter()
            .all(|result| *result == Err(Unique("as planned")))
    );
    assert!(runs.count() <= CALLERS, "{} runs", runs.count());
}
