//! Values near and beyond the end of their TTL, by a clock that moves when the test says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cache_runtime::test_util::TestClock;
use cache_runtime::{Cache, Mode, Stats, bypass, cached, invalidates, only_cached, refresh};
use cache_tests::eventually;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::{Runs, Shareable, fresh};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

type Found = Result<Option<u64>, Shareable>;

/// Where prices come from. A load reads the price, and then waits while the gate is closed.
struct Source {
    price: AtomicU64,
    runs: Runs,
    fails: AtomicBool,
    gate: Semaphore,
}

impl Source {
    async fn load(&self) -> Found {
        self.runs.note();
        let price = self.price.load(Ordering::SeqCst);
        let _passed = self.gate.acquire().await.expect("never closed for good");
        if self.fails.load(Ordering::SeqCst) {
            return Err(Shareable("as planned"));
        }
        Ok((price > 0).then_some(price))
    }

    fn set(&self, price: u64) {
        self.price.store(price, Ordering::SeqCst);
    }

    fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    fn close(&self) {
        self.gate.forget_permits(OPEN);
    }

    fn open(&self) {
        self.gate.add_permits(OPEN);
    }
}

const OPEN: usize = 1 << 20;

/// A repository as it should be where loads outlive calls: cheap to clone.
#[derive(Clone)]
struct Prices {
    id: u64,
    cache: Cache,
    source: Arc<Source>,
}

impl Prices {
    fn new() -> (Self, TestClock) {
        let clock = TestClock::new();
        let prices = Self {
            id: fresh(),
            cache: crate::timed(&clock),
            source: Arc::new(Source {
                price: AtomicU64::new(1),
                runs: Runs::default(),
                fails: AtomicBool::new(false),
                gate: Semaphore::new(OPEN),
            }),
        };
        (prices, clock)
    }

    /// The same by another process, if the store has room for two.
    fn elsewhere(&self, clock: &TestClock) -> Self {
        let cache = if crate::elsewhere().is_some() {
            crate::timed(clock)
        } else {
            self.cache.clone()
        };
        Self {
            cache,
            ..self.clone()
        }
    }

    fn runs(&self) -> usize {
        self.source.runs.count()
    }

    fn stats(&self) -> Stats {
        self.cache.stats()
    }

    #[cached(key = "price:<self.id>", ttl = "1h", stale_while_revalidate = "10m", cache = self.cache)]
    async fn revalidated(&self) -> Found {
        self.source.load().await
    }

    #[cached(key = "price:<self.id>", ttl = "1h", stale_while_revalidate = "10m", refresh = "inline", cache = self.cache)]
    async fn revalidated_inline(&self) -> Found {
        self.source.load().await
    }

    #[cached(key = "price:<self.id>", ttl = "1h", stale_if_error = "10m", cache = self.cache)]
    async fn stale_if_error(&self) -> Found {
        self.source.load().await
    }

    #[cached(key = "price:<self.id>", ttl = "1h", stale_if_error = "10m", timeout = "1ms", cache = self.cache)]
    async fn stale_if_slow(&self) -> Found {
        self.source.load().await
    }

    #[cached(key = "price:<self.id>", ttl = "1h", refresh_ahead = 0.9, cache = self.cache)]
    async fn refreshed_ahead(&self) -> Found {
        self.source.load().await
    }

    #[cached(key = "price:<self.id>", ttl = "1h", refresh_ahead = "xfetch", cache = self.cache)]
    async fn refreshed_by_chance(&self) -> Found {
        self.source.load().await
    }

    #[cached(key = "price:<self.id>", ttl = "1h", stale_while_revalidate = "10m", tags = ["prices:<self.id>"], cache = self.cache)]
    async fn tagged(&self) -> Found {
        self.source.load().await
    }

    #[cached(key = "price:<self.id>", ttl = "1h", none_ttl = "1m", stale_while_revalidate = "10m", local_ttl = "1h", cache = self.cache)]
    async fn kept_here(&self) -> Found {
        self.source.load().await
    }

    #[cached(key = "price:<self.id>", ttl = "1h", cache = self.cache)]
    async fn plain(&self) -> Found {
        self.source.load().await
    }

    #[invalidates("price:<self.id>", cache = self.cache)]
    async fn change(&self, price: u64) {
        self.source.set(price);
    }

    #[invalidates(tag = "prices:<self.id>", cache = self.cache)]
    async fn change_all(&self, price: u64) {
        self.source.set(price);
    }

    /// Waits until a call returns this, without a wait of its own for a load.
    async fn until_revalidated(&self, price: u64) {
        eventually("it comes so", async || {
            self.revalidated().await == Ok(Some(price))
        })
        .await;
    }
}

#[tokio::test]
async fn a_stale_value_is_returned_at_once_and_refreshed_once() {
    let (prices, clock) = Prices::new();
    let elsewhere = prices.elsewhere(&clock);
    assert_eq!(prices.revalidated().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.set(2);
    prices.source.close();
    for _ in 0..50 {
        assert_eq!(prices.revalidated().await, Ok(Some(1)));
        assert_eq!(elsewhere.revalidated().await, Ok(Some(1)));
    }
    eventually("it comes so", async || prices.runs() == 2).await;
    prices.source.open();
    prices.until_revalidated(2).await;
    assert_eq!(elsewhere.revalidated().await, Ok(Some(2)));
    assert_eq!(prices.runs(), 2, "one refresh in the whole fleet");
    let stats = prices.stats();
    assert!(stats.stale_hits >= 50, "{stats:?}");
}

/// No caller waits for the source, however often the value grows stale.
#[tokio::test]
async fn an_hour_of_expiries_passes_without_a_wait() {
    #[derive(Clone)]
    struct Quotes(Cache, Arc<Source>);
    impl Quotes {
        #[cached(key = "quote:<id>", ttl = "10s", stale_while_revalidate = "1m", cache = self.0)]
        async fn quote(&self, id: u64) -> Found {
            self.1.load().await
        }
    }
    let (prices, clock) = Prices::new();
    let quotes = Quotes(prices.cache.clone(), prices.source.clone());
    assert_eq!(quotes.quote(prices.id).await, Ok(Some(1)));
    for expiry in 1..=360_u64 {
        prices.source.close();
        prices.source.set(expiry + 1);
        clock.advance(Duration::from_secs(10));
        for _ in 0..3 {
            // The source answers nobody now.
            assert_eq!(quotes.quote(prices.id).await, Ok(Some(expiry)));
        }
        prices.source.open();
        eventually("it comes so", async || {
            quotes.quote(prices.id).await == Ok(Some(expiry + 1))
        })
        .await;
    }
    assert_eq!(prices.runs(), 361);
    assert_eq!(prices.stats().misses, 1);
}

/// 1. A stale value is read, and its refresh begins: it reads the old price.
/// 2. A mutation commits, and its invalidation completes.
/// 3. The refresh ends. What it has loaded must not be stored, neither in an empty slot nor over a newer value.
#[tokio::test]
async fn a_refresh_never_outlives_an_invalidation() {
    for is_filled_anew in [false, true] {
        let (prices, clock) = Prices::new();
        assert_eq!(prices.revalidated().await, Ok(Some(1)));
        clock.advance(HOUR);
        prices.source.close();
        assert_eq!(prices.revalidated().await, Ok(Some(1)));
        eventually("it comes so", async || prices.runs() == 2).await;
        prices.change(2).await;
        if is_filled_anew {
            let (anew, ()) = tokio::join!(prices.revalidated(), async {
                eventually("it comes so", async || prices.runs() == 3).await;
                prices.source.open();
            });
            assert_eq!(anew, Ok(Some(2)));
        } else {
            prices.source.open();
        }
        eventually("it comes so", async || prices.stats().fills_refused == 1).await;
        assert_eq!(prices.revalidated().await, Ok(Some(2)));
    }
}

#[tokio::test]
async fn beyond_the_window_a_value_is_gone() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.revalidated().await, Ok(Some(1)));
    prices.source.set(2);
    clock.advance(HOUR + 10 * MINUTE);
    assert_eq!(prices.revalidated().await, Ok(Some(2)));
    assert_eq!((prices.stats().misses, prices.stats().stale_hits), (2, 0));
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_the_value_and_is_tried_again_after_a_pause() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.revalidated().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.fail(true);
    assert_eq!(prices.revalidated().await, Ok(Some(1)));
    eventually("it comes so", async || prices.stats().load_errors == 1).await;
    prices.source.fail(false);
    prices.source.set(2);
    // The mark of the failure lives by the clock of the store.
    eventually("it comes so", async || {
        clock.advance(Duration::from_millis(20));
        prices.revalidated().await == Ok(Some(2))
    })
    .await;
    assert_eq!(prices.runs(), 3);
}

/// What the source does not have any more must not be served on.
#[tokio::test]
async fn a_refresh_that_brings_nothing_to_store_drops_the_value() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.revalidated().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.set(0);
    assert_eq!(prices.revalidated().await, Ok(Some(1)));
    eventually("it comes so", async || {
        only_cached(prices.revalidated()).await.is_none()
    })
    .await;
    assert_eq!(prices.revalidated().await, Ok(None));
}

#[tokio::test]
async fn a_refresh_that_panics_harms_nobody() {
    #[derive(Clone)]
    struct Panicking(Cache, Arc<AtomicBool>);
    impl Panicking {
        #[cached(key = "panicking:<id>", ttl = "1h", stale_while_revalidate = "10m", cache = self.0)]
        async fn find(&self, id: u64) -> u64 {
            assert!(!self.1.load(Ordering::SeqCst), "as planned");
            id
        }
    }
    let (prices, clock) = Prices::new();
    let panicking = Panicking(prices.cache.clone(), Arc::default());
    let id = prices.id;
    assert_eq!(panicking.find(id).await, id);
    clock.advance(HOUR);
    panicking.1.store(true, Ordering::SeqCst);
    assert_eq!(panicking.find(id).await, id);
    eventually("it comes so", async || prices.stats().revalidations >= 1).await;
    panicking.1.store(false, Ordering::SeqCst);
    eventually("it comes so", async || {
        assert_eq!(panicking.find(id).await, id);
        prices.stats().fills == 2
    })
    .await;
}

#[tokio::test]
async fn one_caller_refreshes_inline_and_the_others_do_not_wait() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.revalidated_inline().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.set(2);
    prices.source.close();
    let (refreshed, ()) = tokio::join!(prices.revalidated_inline(), async {
        eventually("it comes so", async || prices.runs() == 2).await;
        for _ in 0..10 {
            assert_eq!(prices.revalidated_inline().await, Ok(Some(1)));
        }
        prices.source.open();
    });
    assert_eq!(refreshed, Ok(Some(2)));
    assert_eq!(prices.revalidated_inline().await, Ok(Some(2)));
    assert_eq!(prices.runs(), 2);
    let stats = prices.stats();
    assert_eq!(
        (stats.misses, stats.stale_hits, stats.revalidations),
        (2, 10, 1)
    );

    clock.advance(HOUR);
    prices.source.fail(true);
    assert_eq!(
        prices.revalidated_inline().await,
        Ok(Some(2)),
        "not the error"
    );
}

#[tokio::test]
async fn a_dropped_inline_refresh_is_taken_up_by_the_next_caller() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.revalidated_inline().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.set(2);
    prices.source.close();
    {
        let mut dropped = Box::pin(prices.revalidated_inline());
        eventually("it comes so", async || {
            assert!(dropped.as_mut().now_or_never().is_none());
            prices.runs() == 2
        })
        .await;
    }
    prices.source.open();
    eventually("it comes so", async || {
        prices.revalidated_inline().await == Ok(Some(2))
    })
    .await;
    assert_eq!(prices.runs(), 3);
}

#[tokio::test]
async fn an_error_is_answered_with_the_stale_value() {
    let (prices, clock) = Prices::new();
    let elsewhere = prices.elsewhere(&clock);
    assert_eq!(prices.stale_if_error().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.fail(true);
    prices.source.set(2);
    assert_eq!(prices.stale_if_error().await, Ok(Some(1)));
    assert_eq!(elsewhere.stale_if_error().await, Ok(Some(1)));
    assert_eq!(
        prices.runs(),
        2,
        "a source that fails is left alone for a moment"
    );
    prices.source.fail(false);
    eventually("it comes so", async || {
        clock.advance(Duration::from_millis(20));
        prices.stale_if_error().await == Ok(Some(2))
    })
    .await;

    prices.source.fail(true);
    clock.advance(HOUR + 10 * MINUTE);
    assert_eq!(prices.stale_if_error().await, Err(Shareable("as planned")));
}

#[tokio::test]
async fn those_who_wait_for_a_load_are_answered_as_it_ends() {
    for fails in [false, true] {
        let (prices, clock) = Prices::new();
        let elsewhere = prices.elsewhere(&clock);
        assert_eq!(prices.stale_if_error().await, Ok(Some(1)));
        clock.advance(HOUR);
        prices.source.set(2);
        prices.source.fail(fails);
        prices.source.close();
        let (mut calls, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            calls.push(prices.stale_if_error());
            theirs.push(elsewhere.stale_if_error());
        }
        let (found, theirs, ()) = tokio::join!(join_all(calls), join_all(theirs), async {
            eventually("it comes so", async || prices.runs() == 2).await;
            prices.source.open();
        });
        let expected = Ok(Some(if fails { 1 } else { 2 }));
        let all = found.into_iter().chain(theirs);
        assert!(all.into_iter().all(|found| found == expected));
        assert_eq!(prices.runs(), 2, "one load in the whole fleet");
    }
}

/// 1. L reads a stale value, and begins to load: it has read the old price.
/// 2. A mutation commits, and its invalidation completes. The price is loaded anew, and grows stale.
/// 3. R begins. It must not wait for L, and be handed the old price.
#[tokio::test]
async fn nobody_joins_the_load_of_a_value_that_is_gone() {
    let (slow, clock) = Prices::new();
    let quick = Prices {
        source: Prices::new().0.source,
        ..slow.clone()
    };
    assert_eq!(slow.stale_if_error().await, Ok(Some(1)));
    clock.advance(HOUR);
    slow.source.close();
    let (old, ()) = tokio::join!(slow.stale_if_error(), async {
        eventually("L loads", async || slow.runs() == 2).await;
        quick.change(2).await;
        assert_eq!(quick.stale_if_error().await, Ok(Some(2)));
        clock.advance(HOUR);
        quick.source.set(3);
        assert_eq!(quick.stale_if_error().await, Ok(Some(3)));
        slow.source.open();
    });
    assert_eq!(old, Ok(Some(1)), "which began before");
    assert_eq!(quick.stale_if_error().await, Ok(Some(3)));
}

/// 1. R waits for a load, and finds what that has stored. It was fresh for a moment, and is stale already: here, because R's clock is
///    an hour ahead.
/// 2. R must leave it where it is: others may use it, and have the right to replace it; and R itself, if its load fails.
#[tokio::test]
async fn what_is_stale_as_it_comes_is_left_for_others_and_for_an_error() {
    if crate::elsewhere().is_none() {
        // Where there is one process, there is one clock.
        return;
    }
    let (prices, _clock) = Prices::new();
    let later = TestClock::new();
    later.advance(HOUR);
    let theirs = Prices {
        source: Prices::new().0.source,
        ..prices.elsewhere(&later)
    };
    prices.source.close();
    theirs.source.close();
    theirs.source.fail(true);
    let (_, found) = tokio::join!(prices.stale_if_error(), async {
        eventually("the first load", async || prices.runs() == 1).await;
        let (found, ()) = tokio::join!(theirs.stale_if_error(), async {
            // On the same connection, and so answered after R has found the lease.
            assert_eq!(only_cached(theirs.plain()).await, None);
            prices.source.open();
            eventually("R's load", async || theirs.runs() == 1).await;
            let still_there = only_cached(theirs.revalidated()).await;
            assert_eq!(still_there, Some(Ok(Some(1))), "for others");
            theirs.source.open();
        });
        found
    });
    assert_eq!(found, Ok(Some(1)), "in the place of the error");
    assert_eq!(theirs.runs(), 1);
}

#[tokio::test]
async fn a_load_that_takes_too_long_goes_on_after_its_caller_was_answered() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.stale_if_slow().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.set(2);
    prices.source.close();
    let both = tokio::join!(prices.stale_if_slow(), prices.stale_if_slow());
    assert_eq!(both, (Ok(Some(1)), Ok(Some(1))));
    assert_eq!(prices.runs(), 2);
    assert_eq!(prices.stats().stale_hits, 2);
    prices.source.open();
    eventually("it comes so", async || {
        prices.stale_if_slow().await == Ok(Some(2))
    })
    .await;
    assert_eq!(prices.runs(), 2, "the load of the first call");
}

#[tokio::test]
async fn a_value_is_refreshed_before_it_is_stale() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.refreshed_ahead().await, Ok(Some(1)));
    prices.source.set(2);
    clock.advance(53 * MINUTE);
    assert_eq!(prices.refreshed_ahead().await, Ok(Some(1)));
    assert_eq!((prices.runs(), prices.stats().revalidations), (1, 0));
    clock.advance(MINUTE);
    assert_eq!(prices.refreshed_ahead().await, Ok(Some(1)));
    eventually("it comes so", async || {
        prices.refreshed_ahead().await == Ok(Some(2))
    })
    .await;
    clock.advance(53 * MINUTE);
    assert_eq!(prices.refreshed_ahead().await, Ok(Some(2)));
    let stats = prices.stats();
    assert_eq!((prices.runs(), stats.misses, stats.stale_hits), (2, 1, 0));
}

#[tokio::test]
async fn the_longer_a_load_takes_the_earlier_is_its_refresh() {
    let (prices, clock) = Prices::new();
    let delta = Duration::from_secs(5);
    prices.source.close();
    let (found, ()) = tokio::join!(prices.refreshed_by_chance(), async {
        eventually("it comes so", async || prices.runs() == 1).await;
        // So long it takes by the clock of the test: less than a lease lives.
        clock.advance(delta);
        prices.source.open();
    });
    assert_eq!(found, Ok(Some(1)));
    for _ in 0..100 {
        prices.refreshed_by_chance().await.expect("found");
    }
    assert_eq!(prices.stats().revalidations, 0, "e^-720 a call");
    prices.source.set(2);
    clock.advance(HOUR.saturating_sub(delta));
    eventually("it comes so", async || {
        prices.refreshed_by_chance().await == Ok(Some(2))
    })
    .await;
    assert_eq!(prices.stats().revalidations, 1);
}

#[tokio::test]
async fn a_stale_value_of_an_invalidated_tag_is_gone() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.tagged().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.close();
    assert_eq!(
        prices.tagged().await,
        Ok(Some(1)),
        "stale, and being refreshed"
    );
    eventually("it comes so", async || prices.runs() == 2).await;
    prices.change_all(2).await;
    prices.source.open();
    assert_eq!(prices.tagged().await, Ok(Some(2)));
    eventually("it comes so", async || {
        prices.stats().fills + prices.stats().fills_refused >= 3
    })
    .await;
    assert_eq!(prices.tagged().await, Ok(Some(2)));
}

/// Those who keep values for their TTL alone share the key.
#[tokio::test]
async fn a_call_site_without_a_window_does_not_use_what_is_stale() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.revalidated().await, Ok(Some(1)));
    assert_eq!(prices.plain().await, Ok(Some(1)), "fresh");
    clock.advance(HOUR);
    prices.source.set(2);
    assert_eq!(only_cached(prices.plain()).await, None);
    assert_eq!(prices.plain().await, Ok(Some(2)));
    assert_eq!(
        prices.revalidated().await,
        Ok(Some(2)),
        "and the other way round"
    );
}

#[tokio::test]
async fn the_local_tier_keeps_nothing_beyond_its_freshness() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.kept_here().await, Ok(Some(1)));
    assert_eq!(prices.kept_here().await, Ok(Some(1)));
    clock.advance(59 * MINUTE);
    assert_eq!(prices.kept_here().await, Ok(Some(1)));
    clock.advance(MINUTE);
    prices.source.set(2);
    assert_eq!(prices.kept_here().await, Ok(Some(1)));
    eventually("it comes so", async || {
        prices.kept_here().await == Ok(Some(2))
    })
    .await;
    assert_eq!(prices.runs(), 2);
}

#[tokio::test]
async fn an_absent_value_grows_stale_too() {
    let (prices, clock) = Prices::new();
    prices.source.set(0);
    assert_eq!(prices.kept_here().await, Ok(None));
    clock.advance(MINUTE);
    prices.source.set(2);
    assert_eq!(prices.kept_here().await, Ok(None));
    eventually("it comes so", async || {
        prices.kept_here().await == Ok(Some(2))
    })
    .await;
}

#[tokio::test]
async fn controls_and_switches_hold_as_ever() {
    let (prices, clock) = Prices::new();
    assert_eq!(prices.revalidated().await, Ok(Some(1)));
    clock.advance(HOUR);
    prices.source.set(2);
    assert_eq!(bypass(prices.revalidated()).await, Ok(Some(2)));
    assert_eq!(only_cached(prices.revalidated()).await, Some(Ok(Some(1))));
    assert_eq!(refresh(prices.revalidated()).await, Ok(Some(2)));
    assert_eq!(prices.revalidated().await, Ok(Some(2)));
    assert_eq!(
        (prices.stats().refreshes, prices.stats().revalidations),
        (1, 0)
    );
    prices.source.set(3);
    prices.cache.set_mode(Mode::Off).expect("switched");
    assert_eq!(prices.revalidated().await, Ok(Some(3)));
}

/// Where there is no runtime to go on in, the caller refreshes.
#[test]
fn outside_of_a_runtime_a_refresh_is_inline() {
    let clock = TestClock::new();
    let (prices, _) = Prices::new();
    let embedded = cache_runtime::CacheConfig::embedded().clock(&clock);
    let prices = Prices {
        cache: Cache::new(embedded).expect("a cache"),
        ..prices
    };
    futures_executor::block_on(async {
        assert_eq!(prices.revalidated().await, Ok(Some(1)));
        clock.advance(HOUR);
        prices.source.set(2);
        assert_eq!(prices.revalidated().await, Ok(Some(2)));
    });
}

/// What the body borrows goes along, in every form that an argument may have.
#[tokio::test]
async fn a_refresh_takes_its_arguments_along() {
    #[async_trait::async_trait]
    trait Search: Send + Sync {
        async fn search(&self, text: &str, ids: &[u64]) -> String;
    }

    mod helper {
        pub(super) fn joined(ids: &[u64]) -> String {
            ids.iter().map(u64::to_string).collect::<Vec<_>>().join("+")
        }
    }

    #[derive(Clone)]
    struct Index(Cache, Arc<AtomicU64>);

    #[async_trait::async_trait]
    impl Search for Index {
        #[cached(key = "search:boxed:<text>", ttl = "1h", stale_while_revalidate = "10m", skip(ids), cache = self.0)]
        async fn search(&self, text: &str, ids: &[u64]) -> String {
            format!(
                "{text} {} {}",
                helper::joined(ids),
                self.1.load(Ordering::SeqCst)
            )
        }
    }

    impl Index {
        #[cached(
            key = "search:<text>:<page>:<size>",
            ttl = "1h",
            stale_while_revalidate = "10m",
            skip(ids, shared),
            cache = self.0
        )]
        async fn find<T: Clone + Send + Sync + ToString + 'static>(
            self: &Arc<Self>,
            text: &str,
            ids: Vec<u64>,
            (page, size): (u32, u32),
            shared: &T,
            _unused: &mut Vec<u8>,
        ) -> String {
            let shared = shared.to_string();
            let now = self.1.load(Ordering::SeqCst);
            format!(
                "{text} {} {page} {size} {shared} {now}",
                helper::joined(&ids)
            )
        }
    }

    let (prices, clock) = Prices::new();
    let index = Arc::new(Index(prices.cache.clone(), Arc::new(AtomicU64::new(1))));
    let text = prices.id.to_string();
    let mut unused = Vec::new();
    let found = index.find(&text, vec![1, 2], (3, 4), &5, &mut unused).await;
    assert_eq!(found, format!("{text} 1+2 3 4 5 1"));
    assert_eq!(index.search(&text, &[1]).await, format!("{text} 1 1"));
    clock.advance(HOUR);
    index.1.store(2, Ordering::SeqCst);
    eventually("it comes so", async || {
        let found = index
            .find(&text, vec![1, 2], (3, 4), &5, &mut Vec::new())
            .await;
        found == format!("{text} 1+2 3 4 5 2")
    })
    .await;
    eventually("it comes so", async || {
        index.search(&text, &[1]).await == format!("{text} 1 2")
    })
    .await;
}
