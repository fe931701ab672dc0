//! The promises, on a Redis store.

mod suite;

use std::sync::LazyLock;
use std::time::Duration;

use cache_runtime::{Cache, CacheConfig};
use cache_tests::RedisServer;

static SERVER: LazyLock<RedisServer> = LazyLock::new(RedisServer::start);

/// Makes the cache of the annotated functions. The budget is generous: this server is well, and the machine may be slow.
fn install() {
    let config = CacheConfig::redis(&SERVER.url())
        .expect("a URL")
        .store_budget(Duration::from_secs(20));
    assert!(
        cache_runtime::install(Cache::new(config).expect("a cache")).is_ok(),
        "installed once"
    );
}
