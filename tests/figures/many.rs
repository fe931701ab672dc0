//! One invalidation for many keys: a pattern among a million keys, and a tag over a hundred thousand entries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cache_runtime::{Cache, CacheConfig, Key, cached};
use cache_tests::RedisServer;
use tokio::task::JoinSet;

const OTHERS: usize = 1_000_000;
const MATCHING: u64 = 1_000;
const TAGGED: u64 = 100_000;
const ROUNDS: usize = 10;

#[cached(key = "day:<user>:<n>", ttl = "1h", cache = cache, skip(cache))]
async fn day(cache: &Cache, user: u64, n: u64) -> u64 {
    user + n
}

#[cached(key = "entry:<n>", ttl = "1h", tags = ["all"], cache = cache, skip(cache))]
async fn entry(cache: &Cache, n: u64) -> u64 {
    n
}

pub(crate) async fn measure() {
    let server = RedisServer::start();
    let config = CacheConfig::redis(&server.url()).expect("a URL");
    let cache = Cache::new(config).expect("a cache");
    fill(&server.url());
    pattern(&server, &cache).await;
    tag(&cache).await;
}

/// Keys of others.
fn fill(url: &str) {
    let mut redis = connect(url);
    let numbers: Vec<usize> = (0..OTHERS).collect();
    for numbers in numbers.chunks(10_000) {
        let mut pipe = redis::pipe();
        for n in numbers {
            pipe.cmd("SET").arg(format!("other:{n}")).arg("x").ignore();
        }
        pipe.query::<()>(&mut redis).expect("filled");
    }
}

fn connect(url: &str) -> redis::Connection {
    let client = redis::Client::open(url).expect("a URL");
    client.get_connection().expect("a connection")
}

async fn pattern(server: &RedisServer, cache: &Cache) {
    let under = Key::of("day").part(&7_u64);
    // A client that reads at full speed, by itself and then while patterns are invalidated.
    let reads = |url: String, ends: Arc<AtomicBool>| {
        std::thread::spawn(move || {
            let (mut redis, mut times) = (connect(&url), Vec::new());
            while !ends.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let _: Option<String> = redis::cmd("GET")
                    .arg("other:7")
                    .query(&mut redis)
                    .expect("an answer");
                times.push(begun.elapsed());
            }
            times
        })
    };
    let alone = {
        let ends = Arc::new(AtomicBool::new(false));
        let reads = reads(server.url(), ends.clone());
        tokio::time::sleep(Duration::from_secs(2)).await;
        ends.store(true, Ordering::Relaxed);
        reads.join().expect("read")
    };
    let (mut scans, mut meanwhile) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for n in 0..MATCHING {
            day(cache, 7, n).await;
        }
        let ends = Arc::new(AtomicBool::new(false));
        let reads = reads(server.url(), ends.clone());
        let begun = Instant::now();
        cache.invalidate_pattern(&under).await.expect("delivered");
        scans.push(begun.elapsed());
        ends.store(true, Ordering::Relaxed);
        meanwhile.extend(reads.join().expect("read"));
    }
    let (alone, meanwhile) = (p99(alone), p99(meanwhile));
    println!(
        "a pattern over {MATCHING} of {OTHERS} keys: median {:.0?}; p99 of another client's GET {alone:.0?} before, {meanwhile:.0?} meanwhile ({:.1} x)",
        super::median(scans),
        meanwhile.as_secs_f64() / alone.as_secs_f64(),
    );
}

async fn tag(cache: &Cache) {
    let before = cache.stats().fills;
    let mut callers = JoinSet::new();
    for caller in 0..64 {
        let cache = cache.clone();
        callers.spawn(async move {
            for n in (caller..TAGGED).step_by(64) {
                entry(&cache, n).await;
            }
        });
    }
    callers.join_all().await;
    assert_eq!(cache.stats().fills - before, TAGGED);
    let mut times = Vec::new();
    for _ in 0..ROUNDS * 10 {
        let begun = Instant::now();
        cache
            .invalidate_tag(&Key::of("all"))
            .await
            .expect("delivered");
        times.push(begun.elapsed());
    }
    let slowest = times.iter().max().copied().unwrap_or_default();
    let loads = cache.stats().loads;
    entry(cache, 1).await;
    assert_eq!(cache.stats().loads, loads + 1, "it is in force");
    println!(
        "a tag over {TAGGED} entries: median {:.0?}, slowest {slowest:.0?}",
        super::median(times)
    );
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 99 / 100]
}
