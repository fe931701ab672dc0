//! Natural batching: reads that come while others are on their way go together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_runtime::{Cache, CacheConfig, Key, Policy, cached};
use cache_tests::{RedisServer, eventually};
use tokio::task::JoinSet;

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

fn process(server: &RedisServer) -> Cache {
    Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache")
}

fn key(id: u64) -> Key {
    Key::of("k").part(&id)
}

async fn fill(cache: &Cache, ids: u64, value: impl Fn(u64) -> String) {
    for id in 0..ids {
        let load = async || Ok::<_, ()>(value(id));
        cache
            .get_or_load(&key(id), HOUR, load)
            .await
            .expect("a value");
    }
    assert_eq!(cache.stats().fills, ids);
}

/// Reads these keys at once, each in a task of its own, and tells how many `GET` and `MGET` that took.
async fn read_at_once(
    server: &RedisServer,
    cache: &Cache,
    ids: impl Iterator<Item = u64>,
    value: fn(u64) -> String,
) -> (u64, u64) {
    let commands = || (server.calls_of("get"), server.calls_of("mget"));
    let before = commands();
    let mut readers = JoinSet::new();
    for id in ids {
        let cache = cache.clone();
        readers.spawn(async move {
            let found = cache.get::<String>(&key(id), HOUR).await;
            assert_eq!(found.expect("an answer"), Some(value(id)));
        });
    }
    while let Some(read) = readers.join_next().await {
        read.expect("the value of its own key");
    }
    let after = commands();
    (after.0 - before.0, after.1 - before.1)
}

fn text(id: u64) -> String {
    format!("value {id}")
}

#[tokio::test]
async fn reads_at_one_time_are_few_commands() {
    let server = RedisServer::start();
    let cache = process(&server);
    fill(&cache, 200, text).await;
    let (gets, mgets) = read_at_once(&server, &cache, 0..200, text).await;
    // Sixteen go alone, and now and then one that asks for the epoch; the others together, at most 128 at a time.
    assert!(
        matches!((gets, mgets), (16 | 17, 2)),
        "{gets} GET, {mgets} MGET"
    );
}

#[tokio::test]
async fn equal_keys_are_read_once() {
    let server = RedisServer::start();
    let cache = process(&server);
    fill(&cache, 10, text).await;
    let (gets, mgets) = read_at_once(&server, &cache, (0..500).map(|n| n % 10), text).await;
    assert!(
        matches!((gets, mgets), (16 | 17, 1)),
        "{gets} GET, {mgets} MGET"
    );
}

#[tokio::test]
async fn one_after_the_other_each_goes_alone() {
    let server = RedisServer::start();
    let cache = process(&server);
    fill(&cache, 1, text).await;
    for _ in 0..20 {
        assert_eq!(read_at_once(&server, &cache, 0..1, text).await, (1, 0));
    }
}

/// One large value delays few: a batch brings about 256 KiB, by what came lately.
#[tokio::test]
async fn a_batch_of_large_values_is_small() {
    let large = |id: u64| format!("{id}").repeat(64 << 10);
    let server = RedisServer::start();
    // Time enough for a build without optimisation to take it all apart.
    let config = CacheConfig::redis(&server.url()).expect("a URL");
    let config = config.store_budget(Duration::from_secs(30));
    let cache = Cache::new(config).expect("a cache");
    fill(&cache, 9, large).await;
    // The first sixteen go alone.
    let ids = || (0..43).map(|n| n % 9);
    // Learns how large they are.
    for _ in 0..20 {
        read_at_once(&server, &cache, ids(), large).await;
    }
    let (gets, mgets) = read_at_once(&server, &cache, ids(), large).await;
    assert!(
        matches!(gets, 16 | 17) && mgets >= 3,
        "{gets} GET, {mgets} MGET"
    );
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_ours_is_a_miss() {
    let server = RedisServer::start();
    let cache = process(&server);
    fill(&cache, 100, text).await;
    server.ask::<u64>(&["DEL", &server.slot("k:50")]);
    server.ask::<u64>(&["DEL", &server.slot("k:60")]);
    server.ask::<u64>(&["RPUSH", &server.slot("k:60"), "a list"]);
    server.ask::<()>(&["SET", &server.slot("k:70"), "a text"]);
    let mut readers = JoinSet::new();
    for id in 0..100 {
        let cache = cache.clone();
        readers.spawn(async move { (id, cache.get::<String>(&key(id), HOUR).await) });
    }
    while let Some(read) = readers.join_next().await {
        let (id, found) = read.expect("no panic");
        let there = ![50, 60, 70].contains(&id);
        assert_eq!(found.expect("an answer"), there.then(|| text(id)), "{id}");
    }
}

/// Readers who are dropped, at whatever point, leave the others and the connection as they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_who_are_dropped_leave_nothing_stuck() {
    let server = RedisServer::start();
    let cache = process(&server);
    fill(&cache, 50, text).await;
    for round in 0..200_u64 {
        let mut readers = JoinSet::new();
        for id in 0..50 {
            let cache = cache.clone();
            readers.spawn(async move {
                let patience = Duration::from_micros((round * 7 + id * 13) % 400);
                let key = key(id);
                let read = cache.get::<String>(&key, HOUR);
                if id % 2 == 0 {
                    return tokio::time::timeout(patience, read).await.ok();
                }
                Some(read.await)
            });
        }
        while let Some(read) = readers.join_next().await {
            if let Some(found) = read.expect("no panic") {
                assert!(found.expect("an answer").is_some());
            }
        }
    }
    assert_eq!(cache.stats().store_errors, 0);
}

/// A reader who keeps its future and polls it no more holds nobody up for longer than their budget.
#[tokio::test]
async fn reads_that_nobody_polls_do_not_stop_the_others() {
    let server = RedisServer::start();
    let cache = process(&server);
    fill(&cache, 50, text).await;
    let mut kept = Vec::new();
    for id in 0..32 {
        let cache = cache.clone();
        let mut read = Box::pin(async move { cache.get::<String>(&key(id), HOUR).await });
        let waker = std::task::Waker::noop();
        let polled = read
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker));
        assert!(polled.is_pending());
        kept.push(read);
    }
    eventually("reads are answered", async || {
        cache
            .get::<String>(&key(40), HOUR)
            .await
            .is_ok_and(|found| found.is_some())
    })
    .await;
    for read in kept {
        assert!(read.await.is_ok_and(|found| found.is_some()));
    }
}

/// Whoever waits for a batch is told when the runtime ends that was to send it.
#[test]
fn readers_whose_runtime_ends_go_to_the_source() {
    let server = RedisServer::start();
    let cache = process(&server);
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    let first = runtime();
    first.block_on(fill(&cache, 50, text));
    let mut kept: Vec<_> = {
        let _within = first.enter();
        let readers = (0..50).map(|id| {
            let cache = cache.clone();
            let load = async || Ok::<_, ()>("from the source".to_owned());
            Box::pin(async move { cache.get_or_load(&key(id), HOUR, load).await })
        });
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        readers
            .map(|mut read| {
                assert!(read.as_mut().poll(&mut context).is_pending());
                read
            })
            .collect()
    };
    // Those who went alone have timers of the runtime.
    kept.drain(..16);
    drop(first);
    runtime().block_on(async {
        let patience = Duration::from_secs(20);
        for read in kept {
            let read = tokio::time::timeout(patience, read).await;
            assert_eq!(read.expect("an end"), Ok("from the source".to_owned()));
        }
    });
}

/// A read that begins after an invalidation has returned boards no batch that was sent before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_stale_in_a_batch() {
    let server = RedisServer::start();
    let cache = process(&server);
    let source = Arc::new(AtomicU64::new(0));
    let in_force = Arc::new(AtomicU64::new(0));
    let ends = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..32_u64)
        .map(|reader| {
            let (cache, source) = (cache.clone(), source.clone());
            let (in_force, ends) = (in_force.clone(), ends.clone());
            tokio::spawn(async move {
                while !ends.load(Ordering::SeqCst) {
                    let at_least = in_force.load(Ordering::SeqCst);
                    let load = async || Ok::<_, ()>(source.load(Ordering::SeqCst));
                    let read = cache.get_or_load(&key(reader % 4), HOUR, load).await;
                    let read = read.expect("a number");
                    assert!(read >= at_least, "read {read} after {at_least}");
                }
            })
        })
        .collect();
    for version in 1..300 {
        source.store(version, Ordering::SeqCst);
        for id in 0..4 {
            cache.invalidate(&key(id)).await.expect("delivered");
        }
        in_force.store(version, Ordering::SeqCst);
    }
    ends.store(true, Ordering::SeqCst);
    for reader in readers {
        reader.await.expect("never stale");
    }
}

/// With the server gone, each of many readers goes to the source within the budget, and they hit again when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_not_answered_sends_its_readers_to_the_source() {
    let server = RedisServer::start();
    let cache = process(&server);
    fill(&cache, 50, text).await;
    server.freeze();
    let mut readers = JoinSet::new();
    for id in 0..200_u64 {
        let cache = cache.clone();
        readers.spawn(async move {
            let load = async || Ok::<_, ()>("from the source".to_owned());
            cache.get_or_load(&key(id % 50), HOUR, load).await
        });
    }
    while let Some(read) = readers.join_next().await {
        assert_eq!(read.expect("no panic"), Ok("from the source".to_owned()));
    }
    server.thaw();
    eventually("hits", async || {
        let hits = cache.stats().hits;
        let load = async || Ok::<_, ()>(text(1));
        let _ = cache.get_or_load(&key(1), HOUR, load).await;
        cache.stats().hits > hits
    })
    .await;
}

/// 1 000 ids, 900 of them cached: they are read in one pipeline, and the body is asked once, for the other 100.
#[tokio::test]
async fn a_call_for_many_keys_is_few_commands_and_one_run_of_the_body() {
    #[cached(batch, key = "k:<id>", ttl = "1h", cache = cache, skip(cache, asked))]
    async fn find(
        cache: &Cache,
        ids: &[u64],
        asked: &Mutex<Vec<Vec<u64>>>,
    ) -> HashMap<u64, String> {
        asked.lock().expect("whole").push(ids.to_vec());
        ids.iter().map(|id| (*id, text(*id))).collect()
    }
    let server = RedisServer::start();
    let cache = process(&server);
    let asked = Mutex::default();
    let ids: Vec<u64> = (0..1000).collect();
    let (missing, cached): (Vec<u64>, Vec<u64>) = ids.iter().partition(|id| *id % 10 == 0);
    find(&cache, &cached, &asked).await;
    let commands = || ["get", "mget", "evalsha", "eval", "set"].map(|name| server.calls_of(name));
    let before = commands();
    let found = find(&cache, &ids, &asked).await;
    let took = commands();
    assert!(ids.iter().all(|id| found[id] == text(*id)), "{found:?}");
    assert_eq!(*asked.lock().expect("whole"), [cached, missing]);
    let took: Vec<u64> = took
        .iter()
        .zip(before)
        .map(|(now, before)| now - before)
        .collect();
    // Reads of 128 keys each, in one pipeline; two scripts of at most 64 take the leases, and two fill. The scripts do the `GET`, and two
    // `SET` of the missing ones.
    assert_eq!(took, [100, 8, 4, 0, 200]);
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.fills), (900, 1000, 1000));
}
