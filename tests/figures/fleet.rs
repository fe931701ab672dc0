//! How soon a switch that one process throws is seen by others.

use std::time::{Duration, Instant};

use cache_runtime::{Cache, CacheConfig, Key, Policy};
use cache_tests::RedisServer;

const ROUNDS: usize = 50;
const PROCESSES: usize = 4;

/// A cache that knows of the others by way of Redis alone.
async fn process(url: &str) -> Cache {
    let cache = Cache::new(CacheConfig::redis(url).expect("a URL")).expect("a cache");
    let policy = Policy::new(Duration::from_secs(3600));
    let load = async || Ok::<_, ()>(1_u8);
    let read = cache.get_or_load(&Key::of("k"), policy, load).await;
    assert_eq!(read, Ok(1));
    cache
}

pub(crate) async fn measure() {
    let server = RedisServer::start();
    let thrower = process(&server.url()).await;
    let mut others = Vec::new();
    for _ in 0..PROCESSES {
        others.push(process(&server.url()).await);
    }
    let mut seen = Vec::new();
    for round in 0..ROUNDS {
        let on = round % 2 == 1;
        let began = Instant::now();
        let thrown = thrower.switch_fleet(on, "figures").await;
        thrown.expect("Redis to take it");
        for other in &others {
            while other.fleet().on != on {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        seen.push(began.elapsed());
    }
    seen.sort_unstable();
    println!(
        "{ROUNDS} times thrown, seen by the last of {PROCESSES} others: median {:?}, slowest {:?} (bound 1 s)",
        seen[ROUNDS / 2],
        seen[ROUNDS - 1]
    );
}
