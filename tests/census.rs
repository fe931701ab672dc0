//! The census: what stands in the store, by key template.

use std::time::Duration;

use cache_runtime::{Cache, CacheConfig, Census, ErrorKind, Key, Mode, Policy, Population, cached};
use cache_tests::RedisServer;

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

#[cached(key = "census:user:<id>", ttl = "1h", cache = cache, skip(cache))]
async fn user(cache: &Cache, id: u64) -> String {
    format!("user {id}")
}

#[cached(key = "census:session:<token:hash>", ttl = "2m", tags = ["census:<id>"], cache = cache, skip(cache, id))]
async fn session(cache: &Cache, token: &str, id: u64) -> u64 {
    let _ = token;
    id
}

#[cached(key = "census:never:<id>", ttl = "1h", cache = cache, skip(cache))]
async fn never(cache: &Cache, id: u64) -> u64 {
    id
}

fn of(census: &Census, template: &str) -> Population {
    let found = census.templates.iter().find(|of| of.template == template);
    found.expect("a template of this program").population
}

async fn filled(cache: &Cache) {
    for id in 0..50 {
        user(cache, id).await;
    }
    for id in 0..10 {
        session(cache, &format!("secret-{id}"), id).await;
    }
    for id in 0..3_u64 {
        let stored = cache.put(&Key::of("stray").part(&id), id, HOUR).await;
        assert!(stored.expect("an answer"));
    }
}

#[tokio::test]
async fn entries_are_counted_by_template() {
    let server = RedisServer::start();
    let redis = CacheConfig::redis(&server.url()).expect("a URL");
    for (config, is_redis) in [(redis, true), (CacheConfig::embedded(), false)] {
        let cache = Cache::new(config).expect("a cache");
        filled(&cache).await;
        let census = cache.census().await.expect("a census");
        assert!(census.is_complete, "{census:#?}");
        let users = of(&census, "census:user:<id>");
        assert_eq!(users.entries, 50);
        let ttl = users.ttl_left.expect("they have one");
        assert!(ttl > Duration::from_secs(3000) && ttl <= Duration::from_secs(3600));
        assert_eq!(users.bytes.is_some(), is_redis);
        assert_eq!(users.idle.is_some(), is_redis);
        if is_redis {
            assert!(users.bytes >= Some(50 * 40), "{users:?}");
        }
        let sessions = of(&census, "census:session:<token:hash>");
        assert_eq!(sessions.entries, 10);
        assert!(sessions.ttl_left <= Some(Duration::from_secs(120)));
        never(&Cache::new(CacheConfig::embedded()).expect("another"), 1).await;
        assert_eq!(of(&census, "census:never:<id>").entries, 0);
        assert_eq!(census.tags.entries, 10);
        assert_eq!(census.unknown.entries, 3);
        assert_eq!(census.unknown_beginnings, ["stray"]);
        assert_eq!(census.of_older_epochs.entries, 0);
        let told = serde_json::to_value(&census).expect("JSON");
        assert!(!told.to_string().contains("secret"), "{told}");
        assert!(told["templates"][0]["ttl_left_ms"].is_u64());

        cache.advance_epoch().await.expect("moved");
        let after = cache.census().await.expect("a census");
        assert_eq!(of(&after, "census:user:<id>").entries, 0);
        let older = if is_redis { 50 + 10 + 10 + 3 } else { 0 };
        assert_eq!(after.of_older_epochs.entries, older);
    }
}

/// Nobody else's keys are looked at, nor anything of them changed.
#[tokio::test]
async fn it_looks_at_its_namespace_and_uses_nothing() {
    let server = RedisServer::start();
    let config = |namespace: &str| {
        let config = CacheConfig::redis(&server.url()).expect("a URL");
        Cache::new(config.namespace(namespace)).expect("a cache")
    };
    // One name begins like the other.
    let (ours, theirs) = (config("our"), config("ours"));
    user(&ours, 1).await;
    filled(&theirs).await;
    let _: () = server.ask(&["CONFIG", "RESETSTAT"]);
    let census = ours.census().await.expect("a census");
    assert_eq!(of(&census, "census:user:<id>").entries, 1);
    assert_eq!(census.unknown.entries, 0);
    assert!(census.keys > 60, "of the database");
    for written in ["set", "del", "unlink", "pexpire", "get"] {
        assert_eq!(server.calls_of(written), 0, "{written}");
    }
}

#[tokio::test]
async fn of_many_it_is_a_sample() {
    let server = RedisServer::start();
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    user(&cache, 0).await;
    let slot = server.slot("census:user:");
    let fill = "for i = 1, 60000 do redis.call('SET', KEYS[1] .. i, 'some value', 'EX', 600) end";
    let _: () = server.ask(&["EVAL", fill, "1", &slot]);
    let census = cache.census().await.expect("a census");
    assert!(!census.is_complete);
    assert!(census.looked_at < 20_000, "{}", census.looked_at);
    let users = of(&census, "census:user:<id>");
    assert!(
        users.sampled >= 10_000 && users.sampled < 12_000,
        "{users:?}"
    );
    assert!((50_000..70_000).contains(&users.entries), "{users:?}");
}

#[tokio::test]
async fn one_at_a_time_and_none_where_the_store_is_not_to_be_contacted() {
    let server = RedisServer::start();
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    filled(&cache).await;
    let (first, second) = tokio::join!(cache.census(), cache.census());
    assert!(first.is_ok());
    let kind = second.map(|_| ()).map_err(|error| error.kind());
    assert_eq!(kind, Err(ErrorKind::Rejected));
    assert!(cache.census().await.is_ok(), "it is over");
    cache.set_mode(Mode::Detached).expect("a mode");
    let kind = cache
        .census()
        .await
        .map(|_| ())
        .map_err(|error| error.kind());
    assert_eq!(kind, Err(ErrorKind::Off));
}
