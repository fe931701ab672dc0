//! The epoch while processes run: moved on purpose, lost with its record, or moved because the server is another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use cache_runtime::{Cache, CacheConfig, Change, Changed, ErrorKind, Key, Mode, Policy};
use cache_tests::{RedisServer, eventually};

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

/// A process of its own, as far as the store can tell.
fn process(server: &RedisServer) -> Cache {
    Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache")
}

/// A database of one number.
#[derive(Default)]
struct Source(AtomicU64);

impl Source {
    async fn through(&self, cache: &Cache, key: &Key) -> u64 {
        let load = async || Ok::<_, ()>(self.0.load(Ordering::SeqCst));
        cache.get_or_load(key, HOUR, load).await.expect("a number")
    }

    fn write(&self, value: u64) {
        self.0.store(value, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_moved_epoch_empties_the_cache_of_every_process() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let (source, key) = (Source::default(), Key::of("k"));
    for value in 1..4 {
        assert_eq!(source.through(&ours, &key).await, value - 1);
        assert_eq!(source.through(&theirs, &key).await, value - 1);
        // No annotation saw this.
        source.write(value);
        assert_eq!(source.through(&theirs, &key).await, value - 1, "a hit");
        ours.advance_epoch().await.expect("moved");
        assert_eq!(source.through(&theirs, &key).await, value);
        assert_eq!(source.through(&ours, &key).await, value);
    }
    for process in [&ours, &theirs] {
        let moves = process.changes();
        assert!(
            moves
                .iter()
                .all(|change| change.what == Changed::EpochMoved)
        );
        assert_eq!(moves.len(), 3, "each is told of once");
    }
}

#[tokio::test]
async fn the_embedded_store_is_emptied_at_once() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &key).await;
    source.write(1);
    cache.advance_epoch().await.expect("moved");
    assert_eq!(source.through(&cache, &key).await, 1);
    assert_eq!(
        cache.changes().last().map(|change| &change.what),
        Some(&Changed::EpochMoved)
    );
}

/// One process moves the epoch again and again, and one loses its record; a third mutates, and readers must never be
/// handed what was loaded before a mutation that has returned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_stale_while_the_epoch_moves() {
    let server = Arc::new(RedisServer::start());
    let source = Arc::new(Source::default());
    let in_force = Arc::new(AtomicU64::new(0));
    let ends = Arc::new(AtomicBool::new(false));
    let key = Key::of("k");

    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (cache, source, key) = (process(&server), source.clone(), key.clone());
            let (in_force, ends) = (in_force.clone(), ends.clone());
            tokio::spawn(async move {
                while !ends.load(Ordering::SeqCst) {
                    let at_least = in_force.load(Ordering::SeqCst);
                    let read = source.through(&cache, &key).await;
                    assert!(read >= at_least, "read {read} after {at_least}");
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..3))).await;
                }
                cache.stats().hits
            })
        })
        .collect();

    let mover = process(&server);
    for round in 0..40_u64 {
        // Some know the epoch as it was, some have just begun.
        let writer = process(&server);
        if round % 2 == 0 {
            writer
                .invalidate(&Key::of("other"))
                .await
                .expect("delivered");
        }
        let moving = async {
            if round % 4 < 3 {
                mover.advance_epoch().await.expect("moved");
            } else {
                let mut connection = redis::Client::open(server.url())
                    .expect("a URL")
                    .get_multiplexed_async_connection()
                    .await
                    .expect("a connection");
                let lost: u64 = redis::cmd("DEL")
                    .arg("cache:0:epoch")
                    .query_async(&mut connection)
                    .await
                    .expect("an answer");
                assert_eq!(lost, 1);
            }
        };
        let writing = async {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..30))).await;
            source.write(round + 1);
            writer.invalidate(&key).await.expect("delivered");
            in_force.store(round + 1, Ordering::SeqCst);
        };
        tokio::join!(moving, writing);
    }
    ends.store(true, Ordering::SeqCst);
    for reader in readers {
        assert!(reader.await.expect("never stale") > 0, "it had hits");
    }
}

/// A process that was idle while the epoch moved knows nothing of it.
#[tokio::test]
async fn a_process_that_slept_through_a_move_sees_it() {
    let server = RedisServer::start();
    let (idle, busy) = (process(&server), process(&server));
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&idle, &key).await;
    busy.advance_epoch().await.expect("moved");
    source.write(1);
    busy.invalidate(&key).await.expect("delivered");
    assert_eq!(source.through(&idle, &key).await, 1);
}

/// What is known to be trusted is not asked for: a hit is one plain `GET`.
#[tokio::test]
async fn a_hit_is_one_plain_get() {
    let server = RedisServer::start();
    let cache = process(&server);
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &key).await;
    let _: () = server.ask(&["CONFIG", "RESETSTAT"]);
    let mut hits = 0;
    // How often the record is asked for depends on the time that this takes: five or ten times a second.
    eventually("the record is asked for", async || {
        for _ in 0..50 {
            source.through(&cache, &key).await;
            hits += 1;
        }
        server.calls_of("getrange") >= 3
    })
    .await;
    assert_eq!(cache.stats().hits, hits);
    assert_eq!(server.calls_of("get"), hits);
    assert!(server.calls_of("getrange") <= hits / 2, "seldom");
    for command in ["evalsha", "eval", "mget", "set"] {
        assert_eq!(server.calls_of(command), 0, "{command}");
    }
}

#[tokio::test]
async fn a_record_that_is_lost_or_overwritten_is_made_anew() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let (source, key) = (Source::default(), Key::of("k"));
    let faults: [&[&[&str]]; 4] = [
        &[&["FLUSHALL"]],
        &[&["DEL", "cache:0:epoch"]],
        &[&["SET", "cache:0:epoch", "nonsense"]],
        &[&["DEL", "cache:0:epoch"], &["RPUSH", "cache:0:epoch", "x"]],
    ];
    for (value, commands) in (1..).zip(faults) {
        source.through(&ours, &key).await;
        source.through(&theirs, &key).await;
        for command in commands {
            let _: redis::Value = server.ask(command);
        }
        source.write(value);
        ours.invalidate(&key).await.expect("delivered");
        assert_eq!(source.through(&theirs, &key).await, value, "{commands:?}");
        let hits = theirs.stats().hits;
        eventually("back to hits", async || {
            source.through(&theirs, &key).await;
            theirs.stats().hits > hits
        })
        .await;
    }
}

/// A server that comes back with an older state: the invalidation that it had acknowledged is not in it.
#[tokio::test]
async fn a_restart_from_a_snapshot_brings_no_old_value_back() {
    let mut server = RedisServer::start();
    let cache = process(&server);
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&cache, &key).await;
    let slot = server.slot("k");
    let _: () = server.ask(&["SAVE"]);
    source.write(1);
    cache.invalidate(&key).await.expect("delivered");
    server.restart();
    assert_eq!(
        server.ask::<u64>(&["EXISTS", &slot]),
        1,
        "the old value is back"
    );
    assert_eq!(source.through(&cache, &key).await, 1);
    eventually("back to hits", async || {
        source.through(&cache, &key).await;
        cache.stats().hits > 0
    })
    .await;
    assert_eq!(source.through(&cache, &key).await, 1);
    // Nor for a process that begins afterwards.
    assert_eq!(source.through(&process(&server), &key).await, 1);
}

/// More invalidations than are kept: then every key is stale for all that is known.
#[tokio::test]
async fn past_the_bound_of_the_recovery_the_epoch_moves() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let source = Source::default();
    let keys: Vec<_> = (0..10_001_u32).map(|i| Key::of("k").part(&i)).collect();
    let (first, last) = (&keys[0], &keys[10_000]);
    for key in [first, last] {
        source.through(&theirs, key).await;
    }
    server.freeze();
    source.write(1);
    for key in &keys {
        assert!(ours.invalidate(key).await.is_err());
    }
    assert!(ours.undelivered() <= 10_001, "{}", ours.undelivered());
    assert_eq!(source.through(&ours, first).await, 1, "this process knows");
    assert_eq!(ours.stats().invalidations_dropped, 10_001);
    let dropped = |change: &Change| change.what == Changed::InvalidationsDropped { count: 10_001 };
    assert!(ours.changes().iter().any(dropped), "{:?}", ours.changes());
    server.thaw();
    eventually("the epoch has moved", async || ours.undelivered() == 0).await;
    for key in [first, last] {
        assert_eq!(source.through(&theirs, key).await, 1);
    }
    eventually("back to hits", async || {
        source.through(&ours, first).await;
        ours.stats().hits > 0
    })
    .await;
}

/// While a process is detached its mutations leave no trace in the store.
#[tokio::test]
async fn the_way_back_from_detached_moves_the_epoch() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&theirs, &key).await;
    ours.set_mode(Mode::Detached).expect("detached");
    source.write(1);
    ours.invalidate(&key).await.expect("nothing to do");
    let error = ours.advance_epoch().await.expect_err("not contacted");
    assert_eq!(error.kind(), ErrorKind::Off);
    ours.set_mode(Mode::On).expect("on");
    assert_eq!(source.through(&ours, &key).await, 1);
    eventually("the epoch has moved", async || ours.undelivered() == 0).await;
    assert_eq!(source.through(&theirs, &key).await, 1);
    assert_eq!(source.through(&ours, &key).await, 1);
}

/// An epoch that could not be moved is moved when the store is back; so is one whose caller is gone.
#[tokio::test]
async fn a_move_that_failed_or_was_dropped_is_made_up_for() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let (source, key) = (Source::default(), Key::of("k"));
    source.through(&theirs, &key).await;
    server.freeze();
    source.write(1);
    assert!(ours.advance_epoch().await.is_err());
    assert_eq!(ours.undelivered(), 1);
    server.thaw();
    eventually("the epoch has moved", async || ours.undelivered() == 0).await;
    assert_eq!(source.through(&theirs, &key).await, 1);

    source.write(2);
    // Polled once, and dropped.
    let polled = futures_util::FutureExt::now_or_never(ours.advance_epoch());
    assert!(polled.is_none());
    eventually("the epoch has moved", async || ours.undelivered() == 0).await;
    assert_eq!(source.through(&theirs, &key).await, 2);
}

#[tokio::test]
async fn a_shutdown_delivers_or_says_what_is_left() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server), process(&server));
    let (source, key) = (Source::default(), Key::of("k").part("a b"));
    ours.shutdown(Duration::from_secs(30))
        .await
        .expect("nothing is left");
    source.through(&theirs, &key).await;
    server.freeze();
    source.write(1);
    assert!(ours.invalidate(&key).await.is_err());
    let left = ours
        .shutdown(Duration::from_millis(10))
        .await
        .expect_err("it is frozen");
    assert_eq!(left.keys(), ["cache:0:k:a%20b"]);
    assert!(!left.epoch());
    assert!(left.to_string().starts_with("1 cache invalidation was not"));
    server.thaw();
    ours.shutdown(Duration::from_secs(30))
        .await
        .expect("nothing is left");
    assert_eq!(source.through(&theirs, &key).await, 1);
}
