//! Control of annotated calls where the switch is thrown, and on another executor: one test, because both are of the whole process.

use std::sync::atomic::{AtomicU64, Ordering};

use cache_runtime::{
    Cache, CacheConfig, Mode, bypass, cached, global, install, only_cached, refresh,
};
use futures_executor::block_on;
use futures_util::FutureExt;
use futures_util::future::join3;
use tokio::task::yield_now;

static RUNS: AtomicU64 = AtomicU64::new(0);

/// How often it has run.
#[cached(key = "control:<id>", ttl = "1h")]
async fn run(id: u64) -> u64 {
    let _ = id;
    RUNS.fetch_add(1, Ordering::SeqCst) + 1
}

#[test]
fn annotated_calls() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    install(cache).expect("installed once");
    block_on(each_way());
    block_on(one_call_of_two());
    block_on(switched_off());
    block_on(in_turn());
}

async fn each_way() {
    assert_eq!(only_cached(run(1)).await, None);
    assert_eq!(run(1).await, 1);
    assert_eq!(only_cached(run(1)).await, Some(1));
    assert_eq!(bypass(run(1)).await, 2);
    assert_eq!(run(1).await, 1);
    assert_eq!(refresh(run(1)).await, 3);
    assert_eq!(run(1).await, 3);
}

/// One call that two await: the one within `only_cached` gets nothing, and the other its value.
async fn one_call_of_two() {
    let call = run(2).boxed_local().shared();
    let runs = RUNS.load(Ordering::SeqCst);
    assert_eq!(only_cached(call.clone()).await, None);
    assert_eq!(call.await, runs + 1);
}

async fn switched_off() {
    run(3).await;
    for mode in [Mode::Off, Mode::Detached] {
        global().set_mode(mode).expect("switched");
        let runs = RUNS.load(Ordering::SeqCst);
        assert_eq!(only_cached(run(3)).await, None);
        assert_eq!(RUNS.load(Ordering::SeqCst), runs);
        assert_eq!(bypass(run(3)).await, runs + 1);
        assert_eq!(refresh(run(3)).await, runs + 2);
        assert_eq!(run(3).await, runs + 3);
    }
    global().set_mode(Mode::On).expect("switched");
}

/// Three that take turns on one thread, each under its own control.
async fn in_turn() {
    let first = run(4).await;
    let call = async || {
        for _ in 0..3 {
            yield_now().await;
        }
        run(4).await
    };
    let found = join3(call(), bypass(call()), call()).await;
    assert_eq!(found, (first, first + 1, first));
}
