//! Hits that are held against their source.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_runtime::{
    Cache, Key, Policy, Stats, cached, call_sites, invalidates, only_cached, transaction,
};
use cache_tests::eventually;
use futures_executor::block_on;
use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::fresh;

const HOUR: Policy = Policy::new(Duration::from_secs(3600));
const EACH: Policy = HOUR.verify(1.0);

/// What a call is answered that would load this.
async fn get(cache: &Cache, policy: Policy, source: u64) -> u64 {
    let load = || async { Ok::<_, ()>(source) };
    let loaded = cache.get_or_load(&key(), policy, load).await;
    loaded.expect("a number")
}

fn key() -> Key {
    Key::of("verified")
}

/// `verified`, `mismatches`, `unverified`
fn verdicts(stats: &Stats) -> (u64, u64, u64) {
    (stats.verified, stats.mismatches, stats.unverified)
}

/// A cache in which 1 is cached.
async fn with_one() -> Cache {
    let cache = crate::apart();
    assert_eq!(get(&cache, EACH, 1).await, 1);
    cache
}

async fn until(cache: &Cache, expected: (u64, u64, u64)) {
    eventually("the verdict", async || verdicts(&cache.stats()) == expected).await;
}

#[tokio::test]
async fn what_is_as_its_source_is_verified() {
    let cache = with_one().await;
    for _ in 0..3 {
        assert_eq!(get(&cache, EACH, 1).await, 1);
    }
    let stats = cache.stats();
    assert_eq!(verdicts(&stats), (3, 0, 0));
    assert_eq!((stats.hits, stats.loads), (3, 1), "and counted as a hit");
    get(&cache, HOUR, 1).await;
    assert_eq!(verdicts(&cache.stats()), (3, 0, 0), "none is asked for");
}

/// The source has changed, and nobody has told the cache.
#[tokio::test]
async fn a_stale_value_is_found_within_a_thousand_hits() {
    #[cached(
        key = "verify:one-percent:<id>",
        ttl = "1h",
        verify = 0.01,
        skip(source)
    )]
    async fn read(id: u64, source: &AtomicU64) -> u64 {
        source.load(Ordering::SeqCst) + id - id
    }

    let (id, source) = (fresh(), AtomicU64::new(1));
    read(id, &source).await;
    source.store(2, Ordering::SeqCst);
    for _ in 0..1000 {
        assert_eq!(read(id, &source).await, 1, "what is cached");
    }
    let mut sites = call_sites();
    let site = sites.find(|site| site.templates() == ["verify:one-percent:<id>"]);
    let site = site.expect("a call site");
    eventually("it is found", async || site.stats().mismatches > 0).await;
    let stats = site.stats();
    assert_eq!((stats.verified, stats.hits), (0, 1000));
}

/// 1. R hits 1.
/// 2. A mutation commits 2, and its invalidation is on its way.
/// 3. R's body loads 2.
/// 4. The invalidation arrives.
#[tokio::test]
async fn a_mutation_on_its_way_is_no_mismatch() {
    let cache = with_one().await;
    assert_eq!(get(&cache, EACH, 2).await, 1);
    cache.invalidate(&key()).await.expect("delivered");
    until(&cache, (0, 0, 1)).await;
    // The next value is another one, whatever it tells.
    assert_eq!(get(&cache, EACH, 2).await, 2);
    assert_eq!(get(&cache, EACH, 2).await, 2);
    assert_eq!(verdicts(&cache.stats()), (1, 0, 1));
}

#[tokio::test]
async fn neither_an_error_nor_a_panic_of_the_body_is_the_callers() {
    let cache = with_one().await;
    let failing = || async { Err::<u64, _>("the source is down") };
    assert_eq!(cache.get_or_load(&key(), EACH, failing).await, Ok(1));
    let panicking = || async { panic!("the source is down") };
    let found: Result<u64, ()> = cache.get_or_load(&key(), EACH, panicking).await;
    assert_eq!(found, Ok(1));
    assert_eq!(verdicts(&cache.stats()), (0, 0, 2));
}

/// Nobody hears of it, and nothing is left behind.
#[tokio::test]
async fn a_caller_who_leaves_verifies_nothing() {
    let cache = with_one().await;
    let begun = AtomicU64::new(0);
    let waiting = || async {
        begun.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<Result<u64, ()>>().await
    };
    let key = &key();
    let mut call = Box::pin(cache.get_or_load(key, EACH, waiting));
    eventually("the body runs", async || {
        assert_eq!(call.as_mut().now_or_never(), None);
        begun.load(Ordering::SeqCst) == 1
    })
    .await;
    drop(call);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.cancelled), (1, 0), "it was a hit");
    assert_eq!(verdicts(&stats), (0, 0, 0));
    assert_eq!(get(&cache, EACH, 1).await, 1);
    assert_eq!(verdicts(&cache.stats()), (1, 0, 0));
}

/// Each set has an order of its own, and NaN is not equal to itself.
#[tokio::test]
async fn values_are_compared_by_what_they_tell() {
    #[cached(key = "verify:unordered:<id>", ttl = "1h", verify = 1.0)]
    async fn unordered(id: u64) -> (HashSet<u64>, f64) {
        ((id..id + 100).collect(), f64::NAN)
    }

    let id = fresh();
    for _ in 0..4 {
        unordered(id).await;
    }
    let site = call_sites().find(|site| site.templates() == ["verify:unordered:<id>"]);
    let stats = site.expect("a call site").stats();
    assert_eq!(verdicts(&stats), (3, 0, 0));
}

#[tokio::test]
async fn what_is_known_to_be_absent_is_verified() {
    #[cached(
        key = "verify:absent:<id>",
        ttl = "1h",
        none_ttl = "1h",
        verify = 1.0,
        skip(source)
    )]
    async fn absent(id: u64, source: Option<u64>) -> Option<u64> {
        source.map(|number| number + id)
    }

    let id = fresh();
    for source in [None, None, Some(1)] {
        assert_eq!(absent(id, source).await, None);
    }
    let site = call_sites().find(|site| site.templates() == ["verify:absent:<id>"]);
    let site = site.expect("a call site");
    eventually("the verdict", async || verdicts(&site.stats()) == (1, 1, 0)).await;
}

/// A tag is invalidated between the body and the verdict: the value stands in its slot, and is none any more.
#[tokio::test]
async fn what_a_tag_has_invalidated_is_no_mismatch() {
    #[cached(key = "verify:tagged:<id>", ttl = "1h", tags = ["verify:<id>"], verify = 1.0, skip(source))]
    async fn tagged(id: u64, source: u64) -> u64 {
        source + id - id
    }
    #[invalidates(tag = "verify:<id>")]
    async fn change(id: u64) {}

    let id = fresh();
    let site = call_sites().find(|site| site.templates() == ["verify:tagged:<id>"]);
    let site = site.expect("a call site");
    for (source, verified) in [(1, 0), (1, 1), (2, 1)] {
        assert_eq!(tagged(id, source).await, 1);
        assert_eq!(site.stats().verified, verified);
    }
    change(id).await;
    eventually("the verdict", async || verdicts(&site.stats()) == (1, 0, 1)).await;
}

#[tokio::test]
async fn what_may_be_old_is_not_verified() {
    let cache = with_one().await;
    assert_eq!(only_cached(get(&cache, EACH, 2)).await, Some(1));
    assert_eq!(transaction(get(&cache, EACH, 2)).await, 1);
    assert_eq!(cache.transaction(get(&cache, EACH, 2)).await, 1);
    let found = cache.get::<u64>(&key(), EACH).await;
    assert_eq!(found.expect("an answer"), Some(1));
    assert_eq!(verdicts(&cache.stats()), (0, 0, 0));
}

/// Where the body can outlive the call, nobody waits for it.
#[tokio::test]
async fn what_is_refreshed_in_the_background_is_verified_there() {
    #[cached(
        key = "verify:background:<id>",
        ttl = "1h",
        stale_while_revalidate = "1m",
        verify = 1.0,
        skip(go_on)
    )]
    async fn read(id: u64, go_on: Option<oneshot::Receiver<u64>>) -> u64 {
        match go_on {
            Some(go_on) => go_on.await.unwrap_or_default(),
            None => id,
        }
    }

    let id = fresh();
    assert_eq!(read(id, None).await, id);
    let site = call_sites().find(|site| site.templates() == ["verify:background:<id>"]);
    let site = site.expect("a call site");
    for (loads, expected) in [(id, (1, 0, 0)), (id + 1, (1, 1, 0))] {
        let (go_on, until) = oneshot::channel();
        assert_eq!(read(id, Some(until)).await, id, "at once");
        go_on.send(loads).expect("the body waits");
        eventually("the verdict", async || verdicts(&site.stats()) == expected).await;
    }
    assert_eq!(site.stats().loads, 1);
}

/// Nobody is there to look a second later: the next verification does, and nobody waits.
#[test]
fn outside_of_a_runtime_the_verdict_is_the_next_ones() {
    if crate::elsewhere().is_some() {
        // Redis needs a runtime.
        return;
    }
    let cache = crate::apart();
    let a_second_later = || std::thread::sleep(Duration::from_millis(1100));
    block_on(async {
        assert_eq!(get(&cache, EACH, 1).await, 1);
        let began = Instant::now();
        for _ in 0..150 {
            assert_eq!(get(&cache, EACH, 2).await, 1);
        }
        assert!(began.elapsed() < Duration::from_millis(900), "nobody waits");
        assert_eq!(verdicts(&cache.stats()), (0, 0, 50), "a hundred are kept");
        assert_eq!(get(&cache, EACH, 1).await, 1);
        assert_eq!(verdicts(&cache.stats()), (1, 0, 50), "it is too early");
        a_second_later();
        assert_eq!(get(&cache, EACH, 1).await, 1);
        assert_eq!(verdicts(&cache.stats()), (2, 100, 50));

        // A mutation was on its way.
        assert_eq!(get(&cache, EACH, 2).await, 1);
        cache.invalidate(&key()).await.expect("delivered");
        a_second_later();
        for _ in 0..2 {
            assert_eq!(get(&cache, EACH, 2).await, 2);
        }
        assert_eq!(verdicts(&cache.stats()), (3, 100, 51));
    });
}

/// Many mutations, each of which invalidates, and readers that verify each hit: none may be called stale.
#[tokio::test]
async fn mutations_that_invalidate_are_never_called_missing() {
    let cache = with_one().await;
    let (source, bodies) = (AtomicU64::new(1), AtomicU64::new(1));
    let read = async || {
        let load = || async {
            bodies.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<_, ()>(source.load(Ordering::SeqCst))
        };
        let _ = cache.get_or_load(&key(), EACH, load).await;
    };
    let mutating = async {
        for version in 2..300 {
            source.store(version, Ordering::SeqCst);
            tokio::task::yield_now().await;
            cache.invalidate(&key()).await.expect("delivered");
            for _ in 0..3 {
                read().await;
            }
        }
    };
    let reading = async {
        loop {
            read().await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = mutating => {}
        () = reading => {}
    }
    let before = cache.stats();
    assert!(before.verified > 100, "{before:?}");
    // But for those that were dropped on the way to theirs. A hit that was waited for is none of them.
    eventually("what was verified has its verdict", async || {
        let stats = cache.stats();
        let (verified, mismatches, unverified) = verdicts(&stats);
        verified + mismatches + unverified + 2 >= bodies.load(Ordering::SeqCst) - stats.loads
    })
    .await;
    assert_eq!(cache.stats().mismatches, 0);
}
