//! The local tier: how soon another process stops returning what was invalidated.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cache_runtime::{Cache, CacheConfig, Key, Policy};
use cache_tests::RedisServer;

const ROUNDS: u64 = 1000;

/// Kept until the word comes: nothing here ends by its age.
const KEPT: Policy = Policy::new(Duration::from_secs(3600)).local_ttl(Duration::from_secs(3600));

pub(crate) async fn measure() {
    let server = RedisServer::start();
    let process = || {
        let config = CacheConfig::redis(&server.url()).expect("a URL");
        Cache::new(config.tracking(true)).expect("a cache")
    };
    let (ours, theirs) = (process(), process());
    let key = Key::of("k");
    let source = AtomicU64::new(0);
    let read = async || {
        // A local hit waits for nothing: without this, the connection of the same thread would never be read.
        tokio::task::yield_now().await;
        let load = async || Ok::<_, ()>(source.load(Ordering::SeqCst));
        theirs
            .get_or_load(&key, KEPT, load)
            .await
            .expect("a number")
    };
    let (mut after_start, mut after_return) = (Vec::new(), Vec::new());
    for version in 1..=ROUNDS {
        let hits = theirs.stats().local_hits;
        while theirs.stats().local_hits == hits {
            read().await;
        }
        source.store(version, Ordering::SeqCst);
        let start = Instant::now();
        ours.invalidate(&key).await.expect("delivered");
        let returned = Instant::now();
        while read().await != version {}
        after_start.push(start.elapsed());
        after_return.push(returned.elapsed());
    }
    for (what, mut delays) in [("its start", after_start), ("its return", after_return)] {
        delays.sort();
        let at = |per_mille: usize| delays[delays.len() * per_mille / 1000];
        println!(
            "after {what:<12} median {:>7.0?}  p99 {:>7.0?}  slowest {:>7.0?}",
            at(500),
            at(990),
            at(999)
        );
    }
}
