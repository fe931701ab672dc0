//! The switch of the fleet among processes, what a person makes of its record, and what becomes of it where Redis loses it.

mod by_hand;
mod following;
mod lost;
mod processes;

use std::time::Duration;

use cache_runtime::{Cache, CacheConfig, Key, Mode, Policy, cached};
use cache_tests::{RedisServer, eventually};

const RECORD: &str = "cache:%switch";

/// A process of its own, as far as the store can tell, that has read nothing yet.
fn starting(server: &RedisServer) -> Cache {
    Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache")
}

/// The same, that has begun to follow.
async fn process(server: &RedisServer) -> Cache {
    let cache = starting(server);
    read(&cache).await;
    cache
}

async fn read(cache: &Cache) {
    let policy = Policy::new(Duration::from_secs(3600));
    let load = async || Ok::<_, ()>(1_u8);
    let read = cache.get_or_load(&Key::of("k"), policy, load).await;
    assert_eq!(read, Ok(1));
}

async fn until(cache: &Cache, mode: Mode) {
    eventually("the mode", async || cache.mode() == mode).await;
}

async fn until_templates_are_off(cache: &Cache, count: usize) {
    eventually("the templates", async || {
        cache.fleet().templates_off.len() == count
    })
    .await;
}

/// A field of the record.
fn field(server: &RedisServer, name: &str) -> Option<String> {
    server.ask(&["HGET", RECORD, name])
}

async fn until_field(server: &RedisServer, name: &str, value: &str) {
    eventually("the record", async || {
        field(server, name).as_deref() == Some(value)
    })
    .await;
}

async fn throw(cache: &Cache, on: bool) {
    cache.switch_fleet(on, "ada").await.expect("thrown");
}

#[cached(key = "followed:<id>", ttl = "1h", cache = cache, skip(cache))]
async fn followed(id: u64, cache: &Cache) -> u64 {
    id
}

/// A runtime of its own, which ends when it is dropped.
fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime")
}
