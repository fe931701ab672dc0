//! Cancellation and panics, on the embedded store.

mod suite;

use cache_runtime::{Cache, CacheConfig};

fn config() -> CacheConfig {
    CacheConfig::embedded()
}

/// Caches that share the store, as other processes do: there are none.
fn elsewhere() -> impl Iterator<Item = Cache> {
    std::iter::empty()
}

/// Whether a step on the store takes time, so that it can be cut off.
const STORE_TAKES_TIME: bool = false;

/// How often the store was read: whoever is polled has read it.
fn reads_of_the_store() -> u64 {
    u64::MAX
}
