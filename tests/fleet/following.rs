//! How a process follows: what it sees, from when on, and on which runtime.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache_runtime::{
    Cache, CacheConfig, Changed, Key, Mode, Policy, cached, invalidates, only_cached, refresh,
};
use cache_tests::{RedisServer, eventually};

use super::{
    RECORD, field, followed, process, read, runtime, starting, throw, until,
    until_templates_are_off,
};

#[tokio::test]
async fn what_one_process_throws_the_others_see() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server).await, process(&server).await);
    throw(&ours, false).await;
    assert_eq!(ours.mode(), Mode::Off, "at once");
    until(&theirs, Mode::Off).await;
    assert_eq!(theirs.fleet(), ours.fleet());
    let change = theirs.changes().pop().expect("a change");
    assert_eq!(change.what, Changed::FleetSwitched { on: false });
    assert_eq!(change.by.as_deref(), Some("ada"));
    throw(&theirs, true).await;
    until(&ours, Mode::On).await;

    let off = ours.switch_template("followed:<id>", false, "grace").await;
    off.expect("thrown");
    until_templates_are_off(&theirs, 1).await;
    followed(1, &theirs).await;
    assert_eq!(theirs.stats().calls(), 1, "only the first read");
    let on = ours.switch_template("followed:<id>", true, "hedy").await;
    on.expect("thrown");
    until_templates_are_off(&theirs, 0).await;
    let change = theirs.changes().pop().expect("a change");
    assert_eq!(change.by.as_deref(), Some("hedy"));
    let another = CacheConfig::redis(&server.url()).expect("a URL");
    let another = Cache::new(another.namespace("another")).expect("a cache");
    read(&another).await;
    assert!(another.fleet().on, "a namespace is a fleet of its own");
}

#[invalidates("changed:<id>", cache = cache)]
async fn change(id: u64, cache: &Cache) {
    let _ = id;
}

#[tokio::test]
async fn a_template_is_meant_for_its_keys() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    change(1, &cache).await;
    let error = cache.switch_template("changed:<id>", false, "ada").await;
    let error = error.expect_err("nothing is stored under it");
    assert!(error.to_string().contains("`changed:<id>`"), "{error}");

    // As it is spelled in another function, or another program.
    let other = "followed:<user.id>";
    let off = cache.switch_template(other, false, "ada").await;
    off.expect("thrown");
    let calls = cache.stats().calls();
    followed(1, &cache).await;
    assert_eq!(cache.stats().calls(), calls, "the plain call");
    let on = cache.switch_template("followed:<id>", true, "ada").await;
    on.expect("thrown");
    assert!(cache.fleet().templates_off.is_empty());
    followed(1, &cache).await;
    assert_eq!(cache.stats().calls(), calls + 1);
}

/// Whatever is read first: no hit, nor anything else of the store.
#[tokio::test]
async fn a_process_that_starts_while_the_fleet_is_off_is_off_from_its_first_call_on() {
    let server = RedisServer::start();
    let first = process(&server).await;
    followed(1, &first).await;
    throw(&first, false).await;
    let runs = std::cell::Cell::new(0);
    let (key, policy) = (Key::of("k"), Policy::new(Duration::from_secs(3600)));
    let late = starting(&server);
    let load = async || {
        runs.set(runs.get() + 1);
        Ok::<_, ()>(2_u8)
    };
    assert_eq!(late.get_or_load(&key, policy, load).await, Ok(2));
    assert_eq!((runs.get(), late.mode()), (1, Mode::Off));
    let stats = late.stats();
    assert_eq!(
        (stats.calls(), stats.loads),
        (0, 0),
        "a plain call: {stats:?}"
    );
    let late = starting(&server);
    assert_eq!(late.get::<u8>(&key, policy).await.ok(), Some(None));
    assert_eq!(late.mode(), Mode::Off);
    let late = starting(&server);
    followed(1, &late).await;
    assert_eq!((late.mode(), late.stats().hits), (Mode::Off, 0));
    let late = starting(&server);
    assert_eq!(only_cached(followed(1, &late)).await, None);
    assert_eq!((late.mode(), late.stats().unanswered), (Mode::Off, 1));
    let late = starting(&server);
    refresh(followed(1, &late)).await;
    let stats = late.stats();
    assert_eq!((stats.calls(), stats.invalidations), (0, 0), "{stats:?}");
    // More keys than are looked at in one go.
    let ids: Vec<u64> = (0..3000).collect();
    for id in [1, 2999] {
        first.switch_fleet(true, "ada").await.expect("thrown");
        many(&[id], &first).await;
        throw(&first, false).await;
    }
    let late = starting(&server);
    assert_eq!(many(&ids, &late).await.len(), 3000);
    let stats = late.stats();
    assert_eq!((stats.calls(), stats.loads), (0, 0), "{stats:?}");
    assert_eq!((stats.fills, late.mode()), (0, Mode::Off));
}

#[cached(key = "many:<id>", ttl = "1h", batch(id in ids), cache = cache, skip(cache))]
async fn many(ids: &[u64], cache: &Cache) -> HashMap<u64, u64> {
    let _ = cache;
    ids.iter().map(|id| (*id, *id)).collect()
}

/// One that never loads, and one that comes back from where nothing was followed.
#[tokio::test]
async fn whoever_uses_the_cache_follows() {
    let server = RedisServer::start();
    let thrower = process(&server).await;
    let looking = starting(&server);
    let (key, policy) = (Key::of("k"), Policy::new(Duration::from_secs(3600)));
    assert_eq!(looking.get::<u8>(&key, policy).await.ok(), Some(Some(1)));
    let putting = starting(&server);
    putting.put(&key, 1_u8, policy).await.expect("stored");
    throw(&thrower, false).await;
    until(&looking, Mode::Off).await;
    until(&putting, Mode::Off).await;

    looking.set_mode(Mode::Detached).expect("a mode");
    throw(&thrower, true).await;
    looking.set_mode(Mode::On).expect("a mode");
    // Without any call.
    until(&looking, Mode::On).await;
}

/// 1. The switch is off, and the runtime that follows it ends.
/// 2. It is thrown on elsewhere.
/// 3. Calls are plain, and go nowhere: they see to it that somebody follows.
#[test]
fn a_process_goes_on_following_on_another_runtime() {
    let server = RedisServer::start();
    let first = runtime();
    let cache = first.block_on(async {
        let cache = process(&server).await;
        throw(&cache, false).await;
        cache
    });
    drop(first);
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on"]);
    runtime().block_on(eventually("the switch", async || {
        followed(1, &cache).await;
        cache.mode() == Mode::On
    }));
}

/// 1. A runtime without drivers has the first call, and begins to follow: it can read nothing.
/// 2. It is kept, and driven.
/// 3. Calls on another see to it that somebody follows who can.
#[test]
fn a_runtime_that_cannot_follow_is_not_in_the_way() {
    let server = RedisServer::start();
    let without = tokio::runtime::Builder::new_current_thread();
    let without = { without }.build().expect("a runtime");
    let cache = starting(&server);
    let (has_begun, is_over) = (Barrier::new(2), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            without.block_on(async {
                read(&cache).await;
                // What that has spawned has begun.
                tokio::task::yield_now().await;
                has_begun.wait();
                while !is_over.load(Ordering::SeqCst) {
                    read(&cache).await;
                    tokio::task::yield_now().await;
                }
            });
        });
        has_begun.wait();
        let seen = catch_unwind(AssertUnwindSafe(|| {
            runtime().block_on(async {
                read(&cache).await;
                throw(&process(&server).await, false).await;
                eventually("the switch", async || {
                    read(&cache).await;
                    cache.mode() == Mode::Off
                })
                .await;
            });
        }));
        is_over.store(true, Ordering::SeqCst);
        assert!(seen.is_ok());
    });
}

/// 1. The fleet is off, and Redis goes; the breaker is open.
/// 2. The runtime ends on which a task knocks.
/// 3. The switch is thrown on. Calls are plain, and no other asks Redis.
#[test]
fn a_process_that_is_off_sees_the_end_of_an_outage() {
    let mut server = RedisServer::start();
    let first = runtime();
    let cache = first.block_on(async {
        let cache = process(&server).await;
        throw(&cache, false).await;
        server.kill();
        eventually("the breaker", async || {
            let _ = cache.invalidate(&Key::of("k")).await;
            cache.snapshot().breaker == cache_runtime::Breaker::Open
        })
        .await;
        cache
    });
    drop(first);
    server.restart();
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on", "changed", "99999999999999"]);
    assert_eq!(field(&server, "mode").as_deref(), Some("on"));
    runtime().block_on(eventually("the switch", async || {
        followed(1, &cache).await;
        cache.mode() == Mode::On
    }));
}
