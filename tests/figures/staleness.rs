//! A source that takes half a second, and an hour of expiries: who waits for it?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_runtime::test_util::TestClock;
use cache_runtime::{Cache, CacheConfig, cached};
use cache_tests::{RedisServer, eventually};
use futures_util::future::join_all;

const TAKES: Duration = Duration::from_millis(500);
const EXPIRIES: u64 = 60;
const CALLERS: usize = 8;

#[derive(Clone)]
struct Rates {
    cache: Cache,
    newest: Arc<AtomicU64>,
}

impl Rates {
    #[cached(key = "rate:<id>", ttl = "1m", stale_while_revalidate = "5m", cache = self.cache)]
    async fn rate(&self, id: u64) -> u64 {
        let newest = self.newest.load(Ordering::SeqCst);
        tokio::time::sleep(TAKES).await;
        newest + id
    }
}

pub(crate) async fn measure() {
    let server = RedisServer::start();
    let redis = CacheConfig::redis(&server.url()).expect("a URL");
    let hours = [("embedded", CacheConfig::embedded()), ("Redis", redis)]
        .map(|(store, config)| hour(store, config));
    for told in join_all(hours).await {
        println!("{told}");
    }
}

async fn hour(store: &str, config: CacheConfig) -> String {
    let clock = TestClock::new();
    let rates = Rates {
        cache: Cache::new(config.clock(&clock)).expect("a cache"),
        newest: Arc::default(),
    };
    let begun = Instant::now();
    rates.rate(0).await;
    let (first, mut slowest) = (begun.elapsed(), Duration::ZERO);
    for expiry in 1..=EXPIRIES {
        rates.newest.store(expiry, Ordering::SeqCst);
        clock.advance(Duration::from_secs(60));
        // All at once, on the value that has just grown stale; and then for as long as it is refreshed.
        eventually("it is refreshed", async || {
            let timed = async || {
                let begun = Instant::now();
                (rates.rate(0).await, begun.elapsed())
            };
            let answers = join_all((0..CALLERS).map(|_| timed())).await;
            slowest = slowest.max(
                answers
                    .iter()
                    .map(|(_, took)| *took)
                    .max()
                    .unwrap_or_default(),
            );
            answers.iter().all(|(rate, _)| *rate == expiry)
        })
        .await;
    }
    let stats = rates.cache.stats();
    assert_eq!((stats.misses, stats.revalidations), (1, EXPIRIES));
    format!(
        "{store}: the first caller {first:.0?}, the slowest of {} others {slowest:.2?}",
        stats.calls() - 1
    )
}
