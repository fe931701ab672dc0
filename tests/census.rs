//! The census: what stands in the store, by key template.

use std::time::Duration;

use cache_runtime::test_util::TestClock;
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

#[cached(key = "census:setting:<name>", ttl = "1h", cache = cache, skip(cache))]
async fn setting(cache: &Cache, name: &str) -> String {
    let _ = cache;
    name.to_owned()
}

#[cached(key = "census:setting:global", ttl = "1h", cache = cache, skip(cache))]
async fn settings(cache: &Cache) -> u64 {
    let _ = cache;
    0
}

#[tokio::test]
async fn a_key_belongs_to_the_template_that_says_most_of_it() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    settings(&cache).await;
    for name in ["one", "two"] {
        setting(&cache, name).await;
    }
    let census = cache.census().await.expect("a census");
    assert_eq!(of(&census, "census:setting:<name>").entries, 2);
    assert_eq!(of(&census, "census:setting:global").entries, 1);
}

#[cached(key = "census:price:<id>", ttl = "1h", stale_if_error = "10m", cache = cache, skip(cache, source))]
async fn price(cache: &Cache, id: u64, source: Result<u64, String>) -> Result<u64, String> {
    let _ = (cache, id);
    source
}

/// What the cache keeps for itself is nobody's entry; what it has never stored is not of an older epoch.
#[tokio::test]
async fn what_is_of_the_cache_itself_and_what_is_not_of_it() {
    let server = RedisServer::start();
    let redis = CacheConfig::redis(&server.url()).expect("a URL");
    for (config, is_redis) in [(redis, true), (CacheConfig::embedded(), false)] {
        let clock = TestClock::new();
        let cache = Cache::new(config.clock(&clock)).expect("a cache");
        assert_eq!(price(&cache, 1, Ok(5)).await, Ok(5));
        clock.advance(Duration::from_secs(3600));
        // For a moment, the source is left alone.
        assert_eq!(price(&cache, 1, Err("as planned".to_owned())).await, Ok(5));
        if is_redis {
            let marks: Vec<String> = server.ask(&["KEYS", "cache:0.*:%r:*"]);
            assert_eq!(marks.len(), 1, "{marks:?}");
            for key in ["cache:legacy:7", "cache:users:epoch", "cache:1.5:x"] {
                let _: () = server.ask(&["SET", key, "theirs"]);
            }
            let _: () = server.ask(&["SET", "cache:0.0123456789ab:x", "ours"]);
        }
        let census = cache.census().await.expect("a census");
        assert_eq!(of(&census, "census:price:<id>").entries, 1);
        let (unknown, older) = if is_redis { (3, 1) } else { (0, 0) };
        assert_eq!(census.unknown.entries, unknown, "{census:#?}");
        assert_eq!(census.of_older_epochs.entries, older);
        if is_redis {
            assert_eq!(census.unknown_beginnings, ["1.5", "legacy", "users"]);
        }
    }
}

/// What has expired in this process stands in its table until somebody looks for it, or needs its place.
#[tokio::test]
async fn what_has_expired_is_not_counted_along() {
    let clock = TestClock::new();
    let config = CacheConfig::embedded()
        .embedded_capacity(200_000)
        .clock(&clock);
    let cache = Cache::new(config).expect("a cache");
    let minute = Policy::new(Duration::from_secs(60));
    for id in 0..30_000_u64 {
        let load = || async { Ok::<_, ()>(id) };
        let key = Key::of("short").part(&id);
        let _ = cache.get_or_load(&key, minute, load).await;
    }
    clock.advance(Duration::from_secs(60));
    for id in 0..15_000 {
        user(&cache, id).await;
    }
    let census = cache.census().await.expect("a census");
    let users = of(&census, "census:user:<id>");
    assert!(!census.is_complete && users.sampled == 10_000, "{users:?}");
    // The table is read part by part, each with its oldest first.
    assert!((12_000..18_000).contains(&users.entries), "{users:?}");
    assert_eq!(census.unknown.entries, 0);
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
