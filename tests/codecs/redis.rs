//! Codecs of call sites and of caches, on a Redis store.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use cache_runtime::{
    Cache, CacheConfig, CodedCache, Json, Key, MessagePack, Policy, Stats, cached, call_sites,
};
use cache_tests::RedisServer;
use redis::Commands as _;

static SERVER: LazyLock<RedisServer> = LazyLock::new(RedisServer::start);

const POLICY: Policy = Policy::new(Duration::from_secs(600));

/// The budget is generous: this server is well, and the machine may be slow.
fn config() -> CacheConfig {
    let config = CacheConfig::redis(&SERVER.url()).expect("a URL");
    config.store_budget(Duration::from_secs(20))
}

fn stored(key: &str) -> Option<Vec<u8>> {
    let client = redis::Client::open(SERVER.url()).expect("a URL");
    let mut connection = client.get_connection().expect("a connection");
    let names: Vec<Vec<u8>> = connection.keys("*").expect("keys");
    let name = names
        .into_iter()
        .find(|name| name.ends_with(key.as_bytes()))?;
    connection.get(name).expect("a slot")
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|at| at == text.as_bytes())
}

#[cached(key = "ratio:json:<id>", ttl = "10m", codec = Json)]
async fn find_ratio(id: u64) -> HashMap<String, f64> {
    let ratio = if id == 0 { f64::NAN } else { 0.5 };
    HashMap::from([("ratio".to_owned(), ratio)])
}

#[cached(key = "ratio:pack:<id>", ttl = "10m")]
async fn find_packed_ratio(id: u64) -> HashMap<String, f64> {
    let ratio = if id == 0 { f64::NAN } else { 0.5 };
    HashMap::from([("ratio".to_owned(), ratio)])
}

#[cached(key = "maybe:<id>", ttl = "10m")]
async fn find_maybe(id: u64) -> Vec<Option<Option<u64>>> {
    vec![(id > 0).then_some(None), Some(Some(id))]
}

fn stats(function: &str) -> Stats {
    let site = call_sites().find(|site| site.function().ends_with(function));
    site.expect("it is annotated").stats()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_site_has_a_codec_and_stores_nothing_changed() {
    let cache = Cache::new(config().namespace("sites")).expect("a cache");
    assert!(cache_runtime::install(cache).is_ok(), "installed once");
    for _ in 0..2 {
        assert_eq!(find_ratio(1).await["ratio"].to_bits(), 0.5_f64.to_bits());
        assert!(find_ratio(0).await["ratio"].is_nan());
        assert!(find_packed_ratio(0).await["ratio"].is_nan());
        assert_eq!(find_maybe(1).await, [Some(None), Some(Some(1))]);
        assert_eq!(find_maybe(0).await, [None, Some(Some(0))]);
    }
    let text = stored("ratio:json:1").expect("a value");
    assert!(contains(&text, r#"{"ratio":0.5}"#));

    let json = stats("find_ratio");
    assert_eq!((json.hits, json.fills, json.unencodable), (1, 1, 2));
    assert_eq!(stored("ratio:json:0"), None);
    let pack = stats("find_packed_ratio");
    assert_eq!((pack.hits, pack.fills, pack.unencodable), (1, 1, 0));
    let maybe = stats("find_maybe");
    assert_eq!((maybe.hits, maybe.fills, maybe.unencodable), (1, 1, 2));
    assert_eq!(stored("maybe:1"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_codec_is_a_miss_and_is_replaced() {
    let cache = Cache::new(config().namespace("others")).expect("a cache");
    let key = Key::of("changes").part(&"codec");
    let (json, pack) = (
        cache.with_codec::<Json>(),
        cache.with_codec::<MessagePack>(),
    );
    let load = |word: &'static str| move || async move { Ok::<_, ()>(word.to_owned()) };

    assert_eq!(
        json.get_or_load(&key, POLICY, load("first")).await,
        Ok("first".to_owned())
    );
    assert_eq!(
        json.get_or_load(&key, POLICY, load("not run")).await,
        Ok("first".to_owned())
    );
    assert_eq!(
        pack.get_or_load(&key, POLICY, load("second")).await,
        Ok("second".to_owned())
    );
    // The cache's own is MessagePack.
    assert_eq!(
        cache.get_or_load(&key, POLICY, load("not run")).await,
        Ok("second".to_owned())
    );
    assert_eq!(cache.stats().unreadable, 1);
    let unread: Option<String> = json.get(&key, POLICY).await.expect("an answer");
    assert_eq!((unread, cache.stats().unreadable), (None, 2));
    assert_eq!((cache.stats().fills, cache.stats().hits), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_of_what_the_codec_loses_fails_and_leaves_nothing() {
    let cache = Cache::new(config().namespace("puts")).expect("a cache");
    let key = Key::of("puts").part(&"ratio");
    let json: CodedCache<'_, Json> = cache.with_codec();
    assert_eq!(json.put(&key, 0.5, POLICY).await.ok(), Some(true));
    let error = json
        .put(&key, f64::INFINITY, POLICY)
        .await
        .expect_err("JSON has none");
    assert_eq!(error.kind(), cache_runtime::ErrorKind::Unencodable);
    assert_eq!(json.get::<f64>(&key, POLICY).await.ok(), Some(None));
    assert_eq!(
        cache.put(&key, f64::INFINITY, POLICY).await.ok(),
        Some(true)
    );
    assert_eq!(
        cache.get(&key, POLICY).await.ok(),
        Some(Some(f64::INFINITY))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_value_is_compressed_and_read_by_all() {
    let plain = Cache::new(config().namespace("large")).expect("a cache");
    let compressing = config().namespace("large").compress_above(1_000);
    let compressing = Cache::new(compressing).expect("a cache");
    let (small, large) = ("word ".repeat(100), "word ".repeat(10_000));
    for (name, text, at_most) in [("small", &small, 1_000), ("large", &large, 1_000)] {
        let key = Key::of("text").part(&name);
        compressing
            .put(&key, text.clone(), POLICY)
            .await
            .expect("stored");
        let stored = stored(&format!("text:{name}")).expect("a value");
        assert!(stored.len() < at_most, "{name}: {}", stored.len());
        assert_eq!(contains(&stored, &small), name == "small");
        for cache in [&plain, &compressing] {
            assert_eq!(cache.get(&key, POLICY).await.ok(), Some(Some(text.clone())));
        }
    }
}
