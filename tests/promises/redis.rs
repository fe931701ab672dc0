//! The promises, on a Redis store.

mod suite;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_runtime::test_util::TestClock;
use cache_runtime::{Cache, CacheConfig};
use cache_tests::RedisServer;

static SERVER: LazyLock<RedisServer> = LazyLock::new(RedisServer::start);

/// The budget is generous: this server is well, and the machine may be slow.
fn config() -> CacheConfig {
    CacheConfig::redis(&SERVER.url())
        .expect("a URL")
        .store_budget(Duration::from_secs(20))
}

fn cache() -> Cache {
    Cache::new(config()).expect("a cache")
}

/// A cache of this store by another clock.
fn timed(clock: &TestClock) -> Cache {
    Cache::new(config().clock(clock)).expect("a cache")
}

/// A cache that shares nothing with others.
fn apart() -> Cache {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Cache::new(config().namespace(format!("apart-{number}"))).expect("a cache")
}

/// Makes the cache of the annotated functions.
fn install() {
    assert!(cache_runtime::install(cache()).is_ok(), "installed once");
}

/// A cache that shares the store, as another process does.
#[allow(clippy::unnecessary_wraps, reason = "not every store has one")]
fn elsewhere() -> Option<Cache> {
    Some(cache())
}
