//! Cancellation and panics, on a Redis store.

mod processes;
mod suite;

use std::sync::LazyLock;
use std::time::Duration;

use cache_runtime::{Cache, CacheConfig};
use cache_tests::RedisServer;

static SERVER: LazyLock<RedisServer> = LazyLock::new(RedisServer::start);

/// The budget is generous: this server is well, and the machine may be slow.
fn config() -> CacheConfig {
    CacheConfig::redis(&SERVER.url())
        .expect("a URL")
        .store_budget(Duration::from_secs(20))
}

/// Caches that share the store, as other processes do.
fn elsewhere() -> impl Iterator<Item = Cache> {
    std::iter::once(suite::cache())
}

/// Whether a step on the store takes time, so that it can be cut off.
const STORE_TAKES_TIME: bool = true;

/// How often the store was read.
fn reads_of_the_store() -> u64 {
    SERVER.calls_of("get") + SERVER.calls_of("mget")
}
