//! A thousand keys in one call, nine hundred of them cached, against as many calls for one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use cache_runtime::{Cache, CacheConfig, cached};
use cache_tests::RedisServer;
use serde::{Deserialize, Serialize};

const IDS: u64 = 1_000;
const CACHED: u64 = 900;
const ROUNDS: u64 = 15;

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    email: String,
}

impl User {
    fn of(id: u64) -> Self {
        Self {
            id,
            name: format!("User number {id}"),
            email: format!("user-{id}@example.org"),
        }
    }
}

/// A database that takes so long for a query.
struct Source {
    cache: Cache,
    takes: Duration,
}

impl Source {
    #[cached(key = "user:<round>:<id>", ttl = "1h", cache = self.cache)]
    async fn one(&self, round: u64, id: u64) -> Option<User> {
        self.query().await;
        Some(User::of(id)).filter(|user| user.id == id && round > 0)
    }

    #[cached(batch, key = "user:<round>:<id>", ttl = "1h", cache = self.cache)]
    async fn many(&self, round: u64, ids: &[u64]) -> HashMap<u64, User> {
        self.query().await;
        let found = ids.iter().filter(|_| round > 0);
        found.map(|id| (*id, User::of(*id))).collect()
    }

    async fn query(&self) {
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
    }
}

pub(crate) async fn measure() {
    let server = RedisServer::start();
    let stores = [
        ("Redis", CacheConfig::redis(&server.url()).expect("a URL")),
        ("embedded", CacheConfig::embedded()),
    ];
    for (store, config) in stores {
        let cache = Cache::new(config).expect("a cache");
        for (query, takes) in [("free", Duration::ZERO), ("1 ms", Duration::from_millis(1))] {
            let cache = cache.clone();
            let source = Source { cache, takes };
            // On a worker thread, as a service would.
            let times = tokio::spawn(async move { times(&source).await });
            let (single, batch) = times.await.expect("measured");
            println!(
                "{IDS} keys, {CACHED} cached, {store}, a query is {query}: {IDS} calls in sequence {single:.2?}, one call {batch:.2?} ({:.0} x)",
                single.as_secs_f64() / batch.as_secs_f64()
            );
        }
    }
}

/// The medians of both, in turns.
async fn times(source: &Source) -> (Duration, Duration) {
    static ROUND: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let ids: Vec<u64> = (0..IDS).collect();
    // The missing ones stand between the others.
    let cached: Vec<u64> = (0..IDS)
        .filter(|id| id % (IDS / (IDS - CACHED)) != 0)
        .collect();
    assert_eq!(cached.len() as u64, CACHED);
    let (mut single, mut batch) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for is_batch in [false, true] {
            let round = ROUND.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            source.many(round, &cached).await;
            let before = source.cache.stats();
            let begun = Instant::now();
            if is_batch {
                assert_eq!(source.many(round, &ids).await.len() as u64, IDS);
                batch.push(begun.elapsed());
            } else {
                for id in &ids {
                    assert!(source.one(round, *id).await.is_some());
                }
                single.push(begun.elapsed());
            }
            let now = source.cache.stats().since(&before);
            assert_eq!((now.hits, now.fills), (CACHED, IDS - CACHED));
        }
    }
    (super::median(single), super::median(batch))
}
