//! The doctor, on servers that are well, and on servers that are not.

use std::time::Duration;

use cache_runtime::{Cache, CacheConfig, Check, Diagnosis, Key, Mode, Policy, Verdict, cached};
use cache_tests::redis_server::free_port;
use cache_tests::{RedisServer, eventually};

use Verdict::{Failure, Ok, Warning};

#[cached(key = "near:<id>", ttl = "1m", local_ttl = "1s", cache = cache, skip(cache))]
async fn near(cache: &Cache, id: u64) -> u64 {
    id
}

const WELL: &[&str] = &["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];

async fn examine(url: &str) -> Diagnosis {
    let cache = Cache::new(CacheConfig::redis(url).expect("a URL")).expect("a cache");
    cache.doctor().await
}

fn check<'d>(diagnosis: &'d Diagnosis, what: &str) -> &'d Check {
    let found = diagnosis.checks.iter().find(|check| check.what == what);
    found.unwrap_or_else(|| panic!("no check of {what}: {diagnosis}"))
}

/// Looks at one thing, which is what is wrong with a server.
fn is_wrong(diagnosis: &Diagnosis, what: &str, verdict: Verdict, advice: &str) {
    let check = check(diagnosis, what);
    assert_eq!(check.verdict, verdict, "{diagnosis}");
    let told = check.advice.as_deref().unwrap_or_default();
    assert!(told.contains(advice), "{diagnosis}");
}

#[tokio::test]
async fn a_server_that_is_well() {
    let server = RedisServer::start_with(WELL);
    let diagnosis = examine(&server.url()).await;
    assert_eq!(diagnosis.verdict(), Ok, "{diagnosis}");
    for what in [
        "settings",
        "switch",
        "connection",
        "version",
        "role",
        "memory",
        "evictions",
        "persistence",
        "clock",
        "protocol",
        "local tier",
        "invalidations",
        "verification",
        "keys",
    ] {
        assert_eq!(check(&diagnosis, what).advice, None, "{diagnosis}");
    }
    let left: Vec<String> = server.ask(&["KEYS", "*doctor*"]);
    assert_eq!(left, [""; 0], "it leaves nothing behind");
}

#[tokio::test]
async fn memory_without_a_bound_or_without_evictions() {
    let server = RedisServer::start();
    let diagnosis = examine(&server.url()).await;
    is_wrong(&diagnosis, "memory", Warning, "CONFIG SET maxmemory 1gb");
    for (policy, advice) in [
        ("noeviction", "refuses every write"),
        ("volatile-ttl", "leases and fences"),
        ("allkeys-random", "the record of the epoch"),
    ] {
        let options = ["--maxmemory", "64mb", "--maxmemory-policy", policy];
        let diagnosis = examine(&RedisServer::start_with(&options).url()).await;
        is_wrong(&diagnosis, "memory", Warning, "allkeys-lru");
        is_wrong(&diagnosis, "memory", Warning, advice);
    }
    let server = RedisServer::start_with(&["--maxmemory", "64mb"]);
    let diagnosis = examine(&server.url()).await;
    assert_eq!(diagnosis.verdict(), Warning);
}

#[tokio::test]
async fn memory_that_is_nearly_full() {
    let full = ["--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru"];
    let server = RedisServer::start_with(&full);
    let (mut redis, filler) = (server.connection(), "x".repeat(1000));
    for key in 0..5000 {
        let set = redis::cmd("SET").arg(key).arg(&filler).exec(&mut redis);
        set.expect("it evicts others");
    }
    let diagnosis = examine(&server.url()).await;
    is_wrong(&diagnosis, "memory", Warning, "CONFIG SET maxmemory 8mb");
    is_wrong(&diagnosis, "evictions", Warning, "maxmemory");
}

#[tokio::test]
async fn nobody_is_there() {
    let port = free_port();
    let diagnosis = examine(&format!("redis://:hunter2@127.0.0.1:{port}")).await;
    is_wrong(&diagnosis, "connection", Failure, "is it running there?");
    let text = diagnosis.to_string();
    assert!(text.contains(&format!("127.0.0.1:{port}")), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_password_that_is_wrong() {
    let server = RedisServer::start();
    let _: String = server.ask(&["CONFIG", "SET", "requirepass", "secret"]);
    let diagnosis = examine(&format!("redis://:wrong@127.0.0.1:{}", server.port())).await;
    is_wrong(&diagnosis, "connection", Failure, "REDIS_PASSWORD");
    assert!(!diagnosis.to_string().contains("wrong@"), "{diagnosis}");
}

#[tokio::test]
async fn a_server_that_is_frozen() {
    let server = RedisServer::start_with(WELL);
    server.freeze();
    let diagnosis = examine(&server.url()).await;
    is_wrong(&diagnosis, "connection", Failure, "frozen");
}

#[tokio::test]
async fn a_replica() {
    let master = RedisServer::start();
    let port = master.port().to_string();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &port]);
    let diagnosis = examine(&replica.url()).await;
    is_wrong(&diagnosis, "role", Failure, "name the master");
    is_wrong(&diagnosis, "protocol", Failure, "EVALSHA");
}

#[tokio::test]
async fn a_user_who_may_not_do_all() {
    let server = RedisServer::start_with(WELL);
    let deny = |what: &str| server.ask::<String>(&["ACL", "SETUSER", "default", what]);
    deny("-info");
    let diagnosis = examine(&server.url()).await;
    is_wrong(&diagnosis, "server", Warning, "+info");
    assert_eq!(check(&diagnosis, "protocol").verdict, Ok, "{diagnosis}");
    deny("-evalsha");
    let diagnosis = examine(&server.url()).await;
    is_wrong(&diagnosis, "protocol", Failure, "EVALSHA");
    deny("+evalsha");
    deny("-client");
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    let diagnosis = cache.doctor().await;
    is_wrong(&diagnosis, "local tier", Warning, "CLIENT TRACKING");
    near(&cache, 1).await;
}

#[tokio::test]
async fn a_switch_of_the_fleet_that_a_person_has_miswritten() {
    const RECORD: &str = "cache:%switch";
    let server = RedisServer::start_with(WELL);
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on", "off:neer:<id>", "ada"]);
    let diagnosis = examine(&server.url()).await;
    is_wrong(&diagnosis, "switch", Warning, "switch_template");
    let found = &check(&diagnosis, "switch").found;
    assert!(found.contains("`neer:<id>` (which no function"), "{found}");
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "offf"]);
    let diagnosis = examine(&server.url()).await;
    is_wrong(&diagnosis, "fleet", Warning, "do so");
    let found = &check(&diagnosis, "fleet").found;
    assert!(found.contains("`HSET cache:%switch mode on`"), "{found}");
    let _: String = server.ask(&["ACL", "SETUSER", "default", "-hgetall"]);
    let found = &check(&examine(&server.url()).await, "fleet").found.clone();
    assert!(
        found.contains("call `HGETALL` on `cache:%switch`"),
        "{found}"
    );
}

#[tokio::test]
async fn a_value_that_is_stale() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let policy = Policy::new(Duration::from_secs(60)).verify(1.0);
    for source in [1, 1, 2] {
        let load = || async move { Result::<u64, ()>::Ok(source) };
        let loaded = cache.get_or_load(&Key::of("k"), policy, load).await;
        assert_eq!(loaded, Result::Ok(1));
    }
    eventually("a verdict", async || cache.stats().mismatches == 1).await;
    let diagnosis = cache.doctor().await;
    is_wrong(&diagnosis, "verification", Warning, "the log names");
    let found = &check(&diagnosis, "verification").found;
    assert_eq!(found, "1 of 2 hits were stale");
}

#[tokio::test]
async fn what_is_undelivered_is_told() {
    let server = RedisServer::start_with(WELL);
    let config = CacheConfig::redis(&server.url()).expect("a URL");
    let cache = Cache::new(config.store_budget(Duration::from_millis(50))).expect("a cache");
    server.freeze();
    let key = Key::of("k");
    assert!(cache.invalidate(&key).await.is_err());
    let diagnosis = cache.doctor().await;
    is_wrong(&diagnosis, "invalidations", Warning, "shutdown");
}

#[tokio::test]
async fn the_embedded_store_and_the_switch() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let diagnosis = cache.doctor().await;
    assert_eq!(diagnosis.verdict(), Ok, "{diagnosis}");
    assert!(check(&diagnosis, "store").found.contains("embedded"));
    cache.set_mode(Mode::Off).expect("it is one's own");
    is_wrong(&cache.doctor().await, "switch", Warning, "CACHE_ENABLED");
    cache.set_mode(Mode::Detached).expect("it is one's own");
    let diagnosis = cache.doctor().await;
    is_wrong(&diagnosis, "switch", Warning, "CACHE_EPOCH");
    assert!(diagnosis.checks.iter().all(|check| check.what != "store"));
}
