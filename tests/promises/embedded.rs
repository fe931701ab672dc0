//! The promises, on the embedded store.

mod suite;

use cache_runtime::test_util::TestClock;
use cache_runtime::{Cache, CacheConfig};

/// A cache that shares nothing with others.
fn apart() -> Cache {
    Cache::new(CacheConfig::embedded()).expect("a cache")
}

/// Makes the cache of the annotated functions.
fn install() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    assert!(cache_runtime::install(cache).is_ok(), "installed once");
}

/// A cache of this store by another clock.
fn timed(clock: &TestClock) -> Cache {
    Cache::new(CacheConfig::embedded().clock(clock)).expect("a cache")
}

/// A cache that shares the store, as another process does: there is none.
fn elsewhere() -> Option<Cache> {
    None
}
