//! The local tier: values of Redis that a process keeps, and what makes it forget them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cache_runtime::{Cache, CacheConfig, Key, Policy, bypass, only_cached, refresh};
use cache_tests::{RedisServer, eventually};

const HOUR: Duration = Duration::from_secs(3600);

/// Kept for as long as nothing is told: what is forgotten in these tests was not forgotten by its age.
const KEPT: Policy = Policy::new(HOUR).local_ttl(HOUR);

/// A process of its own, as far as the store can tell.
fn process(server: &RedisServer) -> Cache {
    tracking(server, true)
}

fn tracking(server: &RedisServer, tracking: bool) -> Cache {
    let config = CacheConfig::redis(&server.url()).expect("a URL");
    Cache::new(config.tracking(tracking)).expect("a cache")
}

/// A database of one number.
#[derive(Default)]
struct Source(AtomicU64);

impl Source {
    async fn through(&self, cache: &Cache, key: &Key) -> u64 {
        self.by(cache, key, KEPT).await
    }

    async fn by(&self, cache: &Cache, key: &Key, policy: Policy) -> u64 {
        let load = async || Ok::<_, ()>(self.0.load(Ordering::SeqCst));
        let loaded = cache.get_or_load(key, policy, load).await;
        loaded.expect("a number")
    }

    /// Reads until a call is answered by the local tier.
    async fn until_local(&self, cache: &Cache, key: &Key) {
        let before = cache.stats().local_hits;
        eventually("a hit of the local tier", async || {
            self.through(cache, key).await;
            cache.stats().local_hits > before
        })
        .await;
    }

    fn write(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_local_hit_asks_nobody() {
    let server = RedisServer::start();
    let cache = process(&server);
    let (source, key) = (Source::default(), Key::of("k"));
    source.until_local(&cache, &key).await;
    let (before, gets) = (cache.stats(), server.calls_of("get"));
    for _ in 0..1000 {
        source.through(&cache, &key).await;
    }
    let stats = cache.stats().since(&before);
    assert_eq!((stats.local_hits, stats.calls()), (1000, 1000));
    assert_eq!(server.calls_of("get"), gets);
}

#[tokio::test]
async fn an_absent_value_is_kept_too_and_a_call_site_without_a_local_ttl_is_not_served() {
    let server = RedisServer::start();
    let cache = process(&server);
    let key = Key::of("k");
    let policy = KEPT.none_ttl(HOUR);
    let load = async || Ok::<Option<u64>, ()>(None);
    eventually("a hit of the local tier", async || {
        let found = cache.get_or_load_optional(&key, policy, load).await;
        assert_eq!(found, Ok(None));
        cache.stats().local_hits > 0
    })
    .await;
    let hits = cache.stats();
    let strict = Policy::new(HOUR).none_ttl(HOUR);
    let found = cache.get_or_load_optional(&key, strict, load).await;
    assert_eq!(found, Ok(None));
    let stats = cache.stats().since(&hits);
    assert_eq!((stats.local_hits, stats.hits), (0, 1));
}

#[tokio::test]
async fn it_answers_where_nothing_may_be_loaded_and_not_where_something_must_be() {
    let server = RedisServer::start();
    let cache = process(&server);
    let (source, key) = (Source::default(), Key::of("k"));
    source.until_local(&cache, &key).await;
    let before = cache.stats();
    source.write(1);
    assert_eq!(bypass(source.through(&cache, &key)).await, 1);
    let found = only_cached(source.through(&cache, &key)).await;
    assert_eq!(found, Some(0));
    let stats = cache.stats().since(&before);
    assert_eq!((stats.bypasses_asked, stats.local_hits), (1, 1));
    assert_eq!(refresh(source.through(&cache, &key)).await, 1);
    assert_eq!(cache.stats().since(&before).refreshes, 1);
}

/// Nothing is told here, and nothing ends by its age.
/// What a transaction has mutated is not at hand for it, and stays so for the others until it ends.
#[tokio::test]
async fn it_answers_within_a_transaction_but_for_what_that_has_mutated() {
    let server = RedisServer::start();
    let cache = process(&server);
    let (source, key) = (Source::default(), Key::of("k"));
    source.until_local(&cache, &key).await;
    let before = cache.stats();
    let gets = server.calls_of("get");
    cache
        .transaction(async {
            assert_eq!(source.through(&cache, &key).await, 0);
            assert_eq!(cache.stats().since(&before).local_hits, 1);
            source.write(1);
            cache.invalidate(&key).await.expect("held back");
            assert_eq!(source.through(&cache, &key).await, 1);
            let stats = cache.stats().since(&before);
            assert_eq!((stats.local_hits, stats.bypasses_transaction), (1, 1));
        })
        .await;
    assert_eq!(server.calls_of("get"), gets, "nobody was asked");
    assert_eq!(source.through(&cache, &key).await, 1);
}

#[tokio::test]
async fn what_was_refreshed_is_forgotten() {
    let server = RedisServer::start();
    let cache = tracking(&server, false);
    let (source, key) = (Source::default(), Key::of("k"));
    source.until_local(&cache, &key).await;
    source.write(1);
    assert_eq!(refresh(source.through(&cache, &key)).await, 1);
    assert_eq!(source.through(&cache, &key).await, 1);

    // Likewise where the store has lost the value, and this process has not.
    source.until_local(&cache, &key).await;
    server.ask::<u64>(&["DEL", &server.slot("k")]);
    source.write(2);
    assert_eq!(refresh(source.through(&cache, &key)).await, 2);
    assert_eq!(source.through(&cache, &key).await, 2);
}

/// Others return the older value until they are told, and no longer.
#[tokio::test]
async fn other_processes_are_told_of_a_refresh() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let (source, key) = (Source::default(), Key::of("k"));
    source.until_local(&theirs, &key).await;
    source.write(1);
    assert_eq!(refresh(source.through(&ours, &key)).await, 1);
    let told = async || source.through(&theirs, &key).await == 1;
    eventually("they are told", told).await;
}

/// What this process has invalidated, it never returns again, also while others read the key all the time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidation_by_this_process_is_in_force_here_at_once() {
    for is_told in [true, false] {
        let server = RedisServer::start();
        let cache = tracking(&server, is_told);
        let (source, key) = (Arc::new(Source::default()), Key::of("k"));
        let in_force = Arc::new(AtomicU64::new(0));
        let ends = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (cache, source, key) = (cache.clone(), source.clone(), key.clone());
                let (in_force, ends) = (in_force.clone(), ends.clone());
                tokio::spawn(async move {
                    while !ends.load(Ordering::SeqCst) {
                        let at_least = in_force.load(Ordering::SeqCst);
                        let read = source.through(&cache, &key).await;
                        assert!(read >= at_least, "read {read} after {at_least}");
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for version in 1..2000 {
            source.write(version);
            cache.invalidate(&key).await.expect("delivered");
            in_force.store(version, Ordering::SeqCst);
            if version % 8 == 0 {
                source.until_local(&cache, &key).await;
            }
        }
        ends.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.await.expect("never stale");
        }
    }
}

/// Nothing here lives for less than an hour: what is forgotten was told of, or could have been missed.
#[tokio::test]
async fn other_processes_are_told() {
    let mut server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let (source, key) = (Source::default(), Key::of("k"));
    let ways: [&str; 6] = [
        "invalidate",
        "put",
        "epoch",
        "flush",
        "disconnect",
        "restart",
    ];
    for (version, way) in (1..).zip(ways) {
        source.until_local(&theirs, &key).await;
        source.write(version);
        match way {
            "invalidate" => ours.invalidate(&key).await.expect("delivered"),
            "put" => drop(ours.put(&key, version, KEPT).await.expect("stored")),
            "epoch" => ours.advance_epoch().await.expect("moved"),
            "flush" => server.ask::<()>(&["FLUSHALL"]),
            "disconnect" => {
                // Their connection ends, and the word is lost with it.
                let _: u64 = server.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
                eventually("our connection is back", async || {
                    ours.invalidate(&key).await.is_ok()
                })
                .await;
            }
            _ => server.restart(),
        }
        eventually(way, async || source.through(&theirs, &key).await == version).await;
    }
}

/// A store that does not answer cannot tell either: nothing is answered from the local tier until it does.
#[tokio::test]
async fn a_store_that_hangs_is_a_gap() {
    let server = RedisServer::start();
    let cache = process(&server);
    let (source, key) = (Source::default(), Key::of("k"));
    source.until_local(&cache, &key).await;
    server.freeze();
    source.through(&cache, &key).await;
    // Whatever is asked of the store now is not answered in time.
    assert!(cache.get::<u64>(&Key::of("other"), KEPT).await.is_err());
    let before = cache.stats();
    source.write(1);
    assert_eq!(source.through(&cache, &key).await, 1);
    assert_eq!(cache.stats().since(&before).local_hits, 0);
    server.thaw();
    source.until_local(&cache, &key).await;
}

#[tokio::test]
async fn without_a_word_a_value_is_kept_for_its_local_ttl() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), tracking(&server, false));
    let (source, key) = (Source::default(), Key::of("k"));
    let brief = Policy::new(HOUR).local_ttl(Duration::from_millis(300));
    eventually("a hit of the local tier", async || {
        source.by(&theirs, &key, brief).await;
        theirs.stats().local_hits > 0
    })
    .await;
    source.write(1);
    ours.invalidate(&key).await.expect("delivered");
    eventually("the end of its life", async || {
        source.by(&theirs, &key, brief).await == 1
    })
    .await;
}

/// A call that waits for the load of another process looks at the slot when it is told to, not all the time.
#[tokio::test]
async fn a_load_elsewhere_is_waited_for_by_word() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let source = Source::default();
    // Both are told of changes from here on.
    for cache in [&ours, &theirs] {
        source.until_local(cache, &Key::of("first")).await;
    }
    let key = Key::of("k");
    let loading = ours.get_or_load(&key, KEPT, async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok::<_, ()>(7)
    });
    let gets = server.calls_of("get");
    let waiting = async {
        eventually("the lease is taken", async || {
            server.ask::<u64>(&["EXISTS", &server.slot("k")]) == 1
        })
        .await;
        let gets = server.calls_of("get");
        let found = theirs.get_or_load(&key, KEPT, async || Err(())).await;
        (found, server.calls_of("get") - gets)
    };
    let (loaded, (found, looks)) = tokio::join!(loading, waiting);
    assert_eq!((loaded, found), (Ok(7), Ok(7)));
    assert_eq!(theirs.stats().bypasses_waited, 0);
    // The first look, one that is told of from then on, and one when the value is there. By asking now and then it is fifteen.
    assert!((3..=6).contains(&looks), "{looks} looks, {gets} before");
}
