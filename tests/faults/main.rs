//! Promise 4 on a Redis that is refused, frozen, restarted, full, garbled, or holds what is not ours.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cache_runtime::{
    Breaker, Cache, CacheConfig, Changed, ErrorKind, Key, Mode, Policy, bypass, cached,
    only_cached, refresh,
};
use cache_tests::garbler::Garbler;
use cache_tests::redis_server::free_port;
use cache_tests::wait::LIMIT;
use cache_tests::{RedisServer, eventually, halted};

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

/// A cache with a short budget, so that faults are over soon.
fn cache(url: &str) -> Cache {
    let config = CacheConfig::redis(url)
        .expect("a URL")
        .store_budget(Duration::from_millis(100));
    Cache::new(config).expect("a cache")
}

/// A source of truth that counts how often it is asked.
#[derive(Default)]
struct Source {
    value: AtomicUsize,
    reads: AtomicUsize,
}

impl Source {
    async fn through(&self, cache: &Cache, key: &Key) -> usize {
        let load = async || {
            self.reads.fetch_add(1, Ordering::SeqCst);
            Ok::<_, ()>(self.value.load(Ordering::SeqCst))
        };
        cache
            .get_or_load(key, HOUR, load)
            .await
            .expect("the source never fails")
    }

    fn write(&self, value: usize) {
        self.value.store(value, Ordering::SeqCst);
    }

    /// Whether the next call is answered from the cache.
    async fn is_hit(&self, cache: &Cache, key: &Key) -> bool {
        let before = self.reads.load(Ordering::SeqCst);
        self.through(cache, key).await;
        self.reads.load(Ordering::SeqCst) == before
    }
}

#[tokio::test]
async fn with_redis_refused_every_call_is_the_plain_call() {
    let cache = cache(&format!("redis://127.0.0.1:{}", free_port()));
    let (source, key) = (Source::default(), Key::of("k"));
    for value in 0..10 {
        source.write(value);
        assert_eq!(source.through(&cache, &key).await, value);
    }
    let error = cache.invalidate(&key).await.expect_err("nobody took it");
    assert_eq!(error.kind(), ErrorKind::BreakerOpen, "{error}");
    assert_eq!(cache.undelivered(), 1);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.bypasses_store), (0, 10));
    assert_eq!(stats.errors_unavailable, 5, "then the breaker opens");
    assert_eq!(
        stats.errors_unavailable + stats.errors_breaker_open,
        stats.store_errors
    );
    assert_eq!(cache.snapshot().breaker, Breaker::Open);
}

#[tokio::test]
async fn a_frozen_redis_costs_no_answer_and_no_invalidation() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &key).await;
    assert!(source.is_hit(&cache, &key).await);

    server.freeze();
    assert_eq!(source.through(&cache, &key).await, 0);
    source.write(1);
    let error = cache.invalidate(&key).await.expect_err("it is frozen");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    // Every call still returns the right value: this process knows that the key is stale.
    for _ in 0..3 {
        assert_eq!(source.through(&cache, &key).await, 1);
    }
    server.thaw();
    eventually("back to hits", async || source.is_hit(&cache, &key).await).await;
    assert_eq!(source.through(&cache, &key).await, 1);
    assert_eq!(cache.undelivered(), 0);
}

#[tokio::test]
async fn traffic_goes_on_while_redis_is_frozen() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, keys) = (
        Source::default(),
        [Key::of("a"), Key::of("b"), Key::of("c")],
    );
    source.write(7);
    for round in 0..30 {
        match round {
            10 => server.freeze(),
            20 => server.thaw(),
            _ => {}
        }
        for key in &keys {
            assert_eq!(source.through(&cache, key).await, 7);
        }
    }
    eventually("back to hits", async || {
        source.is_hit(&cache, &keys[0]).await
    })
    .await;
    let changes: Vec<_> = cache
        .changes()
        .into_iter()
        .map(|change| change.what)
        .collect();
    assert!(
        matches!(
            &changes[..],
            [Changed::BreakerOpened { .. }, Changed::BreakerClosed, ..]
        ),
        "{changes:?}"
    );
}

#[tokio::test]
async fn a_restarted_redis_is_found_again_and_begins_empty() {
    let mut server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &key).await;
    server.kill();
    source.write(1);
    assert_eq!(source.through(&cache, &key).await, 1);
    assert!(cache.invalidate(&key).await.is_err());
    server.restart();
    eventually("back to hits", async || source.is_hit(&cache, &key).await).await;
    assert_eq!(source.through(&cache, &key).await, 1);
}

/// An invalidation that Redis did not take reaches the other processes once it does.
#[tokio::test]
async fn an_invalidation_during_an_outage_reaches_everyone_afterwards() {
    let server = RedisServer::start();
    let (ours, theirs) = (cache(&server.url()), cache(&server.url()));
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&ours, &key).await;
    assert!(source.is_hit(&theirs, &key).await);
    server.freeze();
    source.write(1);
    assert!(ours.invalidate(&key).await.is_err());
    server.thaw();
    eventually("the invalidation is delivered", async || {
        ours.undelivered() == 0
    })
    .await;
    assert_eq!(source.through(&theirs, &key).await, 1);
}

/// A call for several keys is the plain call for those that Redis is not asked for, or does not answer; and a server that has
/// forgotten the scripts is told them.
#[tokio::test]
async fn a_call_for_several_keys_outlives_every_outage() {
    #[cached(batch, key = "several:<id>", ttl = "1h", cache = cache, skip(cache, source))]
    async fn several(cache: &Cache, ids: &[u64], source: &Source) -> HashMap<u64, usize> {
        source.reads.fetch_add(ids.len(), Ordering::SeqCst);
        let value = source.value.load(Ordering::SeqCst);
        ids.iter().map(|id| (*id, value)).collect()
    }
    let mut server = RedisServer::start();
    let cache = cache(&server.url());
    let source = Source::default();
    let (ids, key) = ([1, 2, 3], Key::of("several").part(&2));
    let all = |value| HashMap::from(ids.map(|id| (id, value)));
    let read = async || several(&cache, &ids, &source).await;
    let is_hit = async || {
        let before = source.reads.load(Ordering::SeqCst);
        read().await;
        source.reads.load(Ordering::SeqCst) == before
    };
    assert_eq!(read().await, all(0));
    assert!(is_hit().await);

    server.freeze();
    source.write(1);
    assert!(cache.invalidate(&key).await.is_err());
    for _ in 0..10 {
        assert_eq!(read().await, all(1), "none of them is asked for");
    }
    server.thaw();
    eventually("back to hits", async || is_hit().await).await;
    let newer = HashMap::from([(1, 0), (2, 1), (3, 0)]);
    assert_eq!(read().await, newer);

    // It reads, and takes no invalidation.
    let allow = |what: &str| {
        let mut redis = server.connection();
        let rule = redis::cmd("ACL")
            .arg(&["SETUSER", "default", what])
            .exec(&mut redis);
        rule.expect("it is allowed");
    };
    allow("-unlink");
    source.write(2);
    assert!(cache.invalidate(&key).await.is_err());
    assert_eq!(read().await, HashMap::from([(1, 0), (2, 2), (3, 0)]));
    allow("+unlink");
    eventually("it is delivered", async || cache.undelivered() == 0).await;
    assert_eq!(read().await[&2], 2);

    server.kill();
    source.write(3);
    assert_eq!(read().await, all(3));
    server.restart();
    eventually("back to hits", async || is_hit().await).await;
    assert_eq!(read().await, all(3), "it began empty");
}

/// What is refreshed is returned, whatever the store does; what it replaces is dropped as soon as the store can be told.
#[tokio::test]
async fn a_refresh_during_an_outage_reaches_everyone_afterwards() {
    let server = RedisServer::start();
    let (ours, theirs) = (cache(&server.url()), cache(&server.url()));
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&ours, &key).await;
    assert!(source.is_hit(&theirs, &key).await);
    server.freeze();
    source.write(1);
    assert_eq!(only_cached(source.through(&ours, &key)).await, None);
    assert_eq!(bypass(source.through(&ours, &key)).await, 1);
    assert_eq!(refresh(source.through(&ours, &key)).await, 1);
    assert_eq!(ours.undelivered(), 1);
    server.thaw();
    eventually("the older value is dropped", async || {
        ours.undelivered() == 0
    })
    .await;
    assert_eq!(source.through(&theirs, &key).await, 1);
}

/// A value that can be read may be one that cannot be replaced.
#[tokio::test]
async fn a_refresh_that_a_full_redis_does_not_store_drops_the_older_value() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &key).await;
    let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    source.write(1);
    assert_eq!(refresh(source.through(&cache, &key)).await, 1);
    assert_eq!(only_cached(source.through(&cache, &key)).await, None);
}

/// The same of a pattern: until it is delivered, this process reads all keys that begin so past the cache, and no others.
#[tokio::test]
async fn a_pattern_during_an_outage_reaches_everyone_afterwards() {
    let server = RedisServer::start();
    let (ours, theirs) = (cache(&server.url()), cache(&server.url()));
    let under = Key::of("day").part(&7_u64);
    let key = under.clone().part("today");
    let (source, other) = (
        Source::default(),
        Key::of("day").part(&70_u64).part("today"),
    );
    for key in [&key, &other] {
        source.through(&ours, key).await;
        assert!(source.is_hit(&theirs, key).await);
    }
    server.freeze();
    source.write(1);
    assert!(ours.invalidate_pattern(&under).await.is_err());
    assert_eq!(ours.undelivered(), 1);
    for _ in 0..3 {
        assert_eq!(source.through(&ours, &key).await, 1);
    }
    server.thaw();
    eventually("the pattern is delivered", async || ours.undelivered() == 0).await;
    assert_eq!(source.through(&theirs, &key).await, 1);
    assert_eq!(source.through(&theirs, &other).await, 0, "not under it");

    // More of them than are kept: the epoch moves in their place.
    server.freeze();
    source.write(2);
    for user in 0..=100_u64 {
        let under = Key::of("day").part(&user);
        assert!(ours.invalidate_pattern(&under).await.is_err());
    }
    assert_eq!(ours.undelivered(), 1);
    server.thaw();
    eventually("the epoch has moved", async || ours.undelivered() == 0).await;
    for key in [&key, &other] {
        assert_eq!(source.through(&theirs, key).await, 2);
    }
}

/// What another program keeps under a key of ours is not touched, if it is no string.
#[tokio::test]
async fn a_pattern_leaves_what_is_not_ours() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, under) = (Source::default(), Key::of("k"));
    let key = under.clone().part("ours");
    source.through(&cache, &key).await;
    let foreign = server.slot("k:theirs");
    let _: u64 = server.ask(&["RPUSH", &foreign, "x"]);
    cache.invalidate_pattern(&under).await.expect("delivered");
    assert!(!source.is_hit(&cache, &key).await);
    assert_eq!(server.ask::<u64>(&["EXISTS", &foreign]), 1);
}

#[tokio::test]
async fn a_full_redis_stores_nothing_and_fails_nobody() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &Key::of("other")).await;
    let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    for value in 0..3 {
        source.write(value);
        assert_eq!(source.through(&cache, &key).await, value);
    }
    assert!(
        cache.invalidate(&key).await.is_ok(),
        "a full Redis still forgets"
    );
    let error = cache
        .put(&key, 1_usize, HOUR)
        .await
        .expect_err("it is full");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.to_string().contains("OOM"), "{error}");
}

#[tokio::test]
async fn what_was_put_is_found_until_it_is_invalidated() {
    let server = RedisServer::start();
    let embedded = Cache::new(CacheConfig::embedded()).expect("a cache");
    for cache in [cache(&server.url()), embedded] {
        let key = Key::of("k");
        for value in 0..3_usize {
            assert!(cache.put(&key, value, HOUR).await.expect("stored"));
            assert_eq!(cache.get(&key, HOUR).await.expect("an answer"), Some(value));
        }
        cache.invalidate(&key).await.expect("invalidated");
        assert_eq!(
            cache.get::<usize>(&key, HOUR).await.expect("an answer"),
            None
        );
        assert_eq!(cache.stats().fills, 3);
    }
}

#[tokio::test]
async fn a_value_over_the_bound_is_returned_counted_and_not_stored() {
    let server = RedisServer::start();
    let config = CacheConfig::redis(&server.url())
        .expect("a URL")
        .max_value_len(1000);
    let cache = Cache::new(config).expect("a cache");
    let key = Key::of("k");
    for _ in 0..2 {
        let load = async || Ok::<_, ()>("x".repeat(1000));
        assert_eq!(
            cache
                .get_or_load(&key, HOUR, load)
                .await
                .map(|value| value.len()),
            Ok(1000)
        );
    }
    let stats = cache.stats();
    assert_eq!((stats.too_large, stats.loads, stats.fills), (2, 2, 0));
    let error = cache
        .put(&key, "x".repeat(1000), HOUR)
        .await
        .expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let slot = server.slot("k");
    assert_eq!(server.ask::<u64>(&["EXISTS", &slot]), 0);
}

/// Another program's key of our name, of whatever type, is a miss that the next load replaces.
#[tokio::test]
async fn what_others_wrote_under_our_key_is_a_miss() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let source = Source::default();
    // The first call makes the epoch.
    source.through(&cache, &Key::of("other")).await;
    let slot = &server.slot("k");
    let foreign: [&[&str]; 3] = [
        &["SET", slot, "{\"id\":1}"],
        &["RPUSH", slot, "x"],
        &["SET", slot, "\u{f8}0123456789abcdef and something"],
    ];
    for (value, command) in foreign.into_iter().enumerate() {
        let key = Key::of("k");
        let _: () = server.ask(&["DEL", slot]);
        let _: redis::Value = server.ask(command);
        source.write(value);
        assert_eq!(source.through(&cache, &key).await, value, "{command:?}");
        assert!(source.is_hit(&cache, &key).await, "{command:?}");
    }
}

/// A value of ours that was damaged, cut, or moved to another key is never a wrong value.
#[tokio::test]
async fn a_damaged_value_is_a_miss() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let source = Source::default();
    source.write(300);
    let key = Key::of("k");
    source.through(&cache, &Key::of("other")).await;
    let (slot, other) = (&server.slot("k"), &server.slot("other"));
    let damages: [&[&str]; 3] = [
        &["SETRANGE", slot, "30", "?"],
        &["APPEND", slot, "?"],
        &["COPY", other, slot, "REPLACE"],
    ];
    for damage in damages {
        source.through(&cache, &key).await;
        let _: redis::Value = server.ask(damage);
        assert!(!source.is_hit(&cache, &key).await, "{damage:?}");
        assert_eq!(source.through(&cache, &key).await, 300);
        assert!(source.is_hit(&cache, &key).await, "{damage:?}: replaced");
    }
}

#[tokio::test]
async fn a_server_that_answers_garbage_is_no_server() {
    for garbage in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"\0\xff\xfe",
        b"$99999999999\r\n",
        b"+OK\r\n",
        b"$-1\r\n",
        b":1\r\n",
    ] {
        let garbler = Garbler::start(garbage);
        let cache = cache(&garbler.url());
        let (source, key) = (Source::default(), Key::of("k"));
        for value in 0..3 {
            source.write(value);
            assert_eq!(source.through(&cache, &key).await, value, "{garbage:?}");
        }
    }
}

/// A server that does not speak TLS, or speaks it badly, is a server that cannot be reached.
#[tokio::test]
async fn tls_that_fails_fails_nobody() {
    let garbler = Garbler::start(b"\x16\x03\x03 not a handshake");
    let cache = cache(&garbler.url().replace("redis://", "rediss://"));
    let (source, key) = (Source::default(), Key::of("k"));
    assert_eq!(source.through(&cache, &key).await, 0);
    let error = cache.invalidate(&key).await.expect_err("no handshake");
    assert!(
        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout),
        "{error}"
    );
}

#[test]
fn outside_a_runtime_redis_is_unavailable_and_nothing_panics() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    futures_executor::block_on(async {
        assert_eq!(source.through(&cache, &key).await, 0);
        let error = cache.invalidate(&key).await.expect_err("no runtime");
        assert_eq!(error.kind(), ErrorKind::NoRuntime);
    });
    // The first call on a runtime delivers.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        source.through(&cache, &key).await;
        eventually("the invalidation is delivered", async || {
            cache.undelivered() == 0
        })
        .await;
    });
}

/// Tests, and services that restart their runtime, use one cache from several, one after the other.
#[test]
fn one_cache_serves_several_runtimes() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    for round in 0..12 {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let hit = runtime.block_on(source.is_hit(&cache, &key));
        assert_eq!(hit, round > 0);
    }
}

#[test]
fn the_embedded_store_needs_no_runtime() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let (source, key) = (Source::default(), Key::of("k"));
    futures_executor::block_on(async {
        assert!(!source.is_hit(&cache, &key).await);
        assert!(source.is_hit(&cache, &key).await);
        cache.invalidate(&key).await.expect("invalidated");
        assert!(!source.is_hit(&cache, &key).await);
    });
}

/// Without its drivers tokio panics; here it is no runtime for Redis, and any runtime for the embedded store.
#[test]
fn a_runtime_without_drivers_panics_nobody() {
    let server = RedisServer::start();
    let embedded = Cache::new(CacheConfig::embedded()).expect("a cache");
    let bare = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let timed = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    for runtime in [bare, timed] {
        let (redis, source, key) = (cache(&server.url()), Source::default(), Key::of("k"));
        runtime.block_on(async {
            assert_eq!(source.through(&redis, &key).await, 0);
            let error = redis.invalidate(&key).await.expect_err("no drivers");
            assert_eq!(error.kind(), ErrorKind::NoRuntime);
            let load = async || {
                tokio::task::yield_now().await;
                Ok::<_, ()>(1)
            };
            assert_eq!(embedded.get_or_load(&key, HOUR, load).await, Ok(1));
        });
    }
}

/// A handshake that is refused for a while (a server that loads, a password that changes) is tried again.
#[tokio::test]
async fn a_refused_handshake_is_not_for_ever() {
    let server = RedisServer::start();
    let mut admin = server.connection();
    let mut config = |value: &str| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("requirepass").arg(value);
        command.query::<()>(&mut admin).expect("an answer");
    };
    config("other");
    let url = format!("redis://:right@127.0.0.1:{}", server.port());
    let cache = cache(&url);
    let (source, key) = (Source::default(), Key::of("k"));
    for _ in 0..10 {
        assert_eq!(source.through(&cache, &key).await, 0);
    }
    assert!(cache.invalidate(&key).await.is_err());
    config("right");
    eventually("back to hits", async || source.is_hit(&cache, &key).await).await;
    eventually("delivered", async || cache.undelivered() == 0).await;
}

/// Once detached, the store is not contacted: not by calls, and not by what was waiting to be delivered.
#[tokio::test]
async fn detached_nothing_reaches_redis() {
    let mut server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &key).await;
    server.kill();
    assert!(cache.invalidate(&key).await.is_err());
    cache.set_mode(Mode::Detached).expect("detached");
    assert_eq!(cache.undelivered(), 0, "the way back is a new epoch");
    server.restart();
    let _: () = server.ask(&["CONFIG", "RESETSTAT"]);
    for _ in 0..50 {
        source.through(&cache, &key).await;
        cache.invalidate(&key).await.expect("nothing to do");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    for command in ["get", "evalsha", "eval", "script|load", "ping", "hello"] {
        assert_eq!(server.calls_of(command), 0, "{command}");
    }
}

/// More runtimes than a machine has cores, each with its one connection.
#[test]
fn many_runtimes_have_a_connection_each() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    let runtimes: Vec<_> = (0..20)
        .map(|_| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
        })
        .collect();
    for _ in 0..5 {
        for runtime in &runtimes {
            runtime.block_on(source.through(&cache, &key));
        }
    }
    let stats: String = server.ask(&["INFO", "stats"]);
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix("total_connections_received:"));
    let connections: u64 = line
        .and_then(|count| count.trim().parse().ok())
        .expect("a count");
    assert!(connections <= 20 + 5, "{connections} connections");
}

/// One of the first calls on a connection is kept and polled no further, as `select!` leaves a future that it does not own.
#[tokio::test]
async fn a_call_that_is_not_polled_any_more_is_in_nobodys_way() {
    let server = RedisServer::start();
    let source = Source::default();
    for times in 1..6 {
        let cache = cache(&server.url());
        let (kept, other) = (Key::of("kept"), Key::of("other"));
        let kept = halted(source.through(&cache, &kept), times).await;
        let passed = tokio::time::timeout(LIMIT, source.through(&cache, &other)).await;
        assert_eq!(passed, Ok(0), "one kept after {times} polls");
        drop(kept);
    }
}

/// A lease of ours that could not be given back is recognised: nobody waits for its expiry.
#[tokio::test]
async fn a_lease_that_was_left_behind_is_taken_back() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    let load = async || {
        // The store dies while this loads: neither the fill nor the release arrives.
        server.freeze();
        Ok::<_, ()>(0_usize)
    };
    cache.get_or_load(&key, HOUR, load).await.expect("a value");
    server.thaw();
    eventually("back to hits", async || source.is_hit(&cache, &key).await).await;
    assert_eq!(cache.stats().bypasses_waited, 0, "nobody waited it out");
}

#[tokio::test]
async fn invalidations_left_by_another_runtime_are_delivered_by_the_next_mutation() {
    let server = RedisServer::start();
    let cache = cache(&server.url());
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &key).await;
    invalidate_without_a_runtime(&cache, &key);
    assert_eq!(cache.undelivered(), 1);
    cache
        .invalidate(&Key::of("other"))
        .await
        .expect("delivered");
    eventually("both are delivered", async || cache.undelivered() == 0).await;
}

/// Invalidates where there is no runtime, which leaves it undelivered.
fn invalidate_without_a_runtime(cache: &Cache, key: &Key) {
    let (cache, key) = (cache.clone(), key.clone());
    let left =
        std::thread::spawn(move || futures_executor::block_on(cache.invalidate(&key)).is_err());
    assert!(left.join().expect("no panic"), "no runtime");
}

#[tokio::test]
async fn no_password_stands_in_an_error() {
    let server = RedisServer::start();
    let _: () = server.ask(&["CONFIG", "SET", "requirepass", "right"]);
    let url = format!("redis://:s3cret@127.0.0.1:{}", server.port());
    let cache = cache(&url);
    let error = cache
        .invalidate(&Key::of("k"))
        .await
        .expect_err("the wrong password");
    let shown = format!("{error} {error:?} {cache:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
}
