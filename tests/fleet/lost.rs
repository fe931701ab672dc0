//! What becomes of the switch where Redis loses it, or is gone.

use cache_runtime::{ErrorKind, Mode};
use cache_tests::{RedisServer, eventually};

use super::{
    RECORD, field, process, read, starting, throw, until, until_field, until_templates_are_off,
};

#[tokio::test]
async fn what_redis_loses_is_put_back() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server).await, process(&server).await);
    throw(&ours, false).await;
    until(&theirs, Mode::Off).await;
    let known = ours.fleet();
    let _: () = server.ask(&["FLUSHALL"]);
    until_field(&server, "mode", "off").await;
    // An older one comes back, as with a snapshot.
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on", "by", "", "changed", "1000"]);
    until_field(&server, "mode", "off").await;
    let late = process(&server).await;
    assert_eq!(late.mode(), Mode::Off);
    assert_eq!(late.fleet(), known, "with who and when");

    // And on again, for all, whatever was lost.
    throw(&late, true).await;
    until(&ours, Mode::On).await;
    until(&theirs, Mode::On).await;
}

/// 1. The fleet is off.
/// 2. Redis loses the record.
/// 3. Before anybody has put it back, a template is switched off.
#[tokio::test]
async fn what_was_lost_is_not_undone_by_what_is_thrown_next() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server).await, process(&server).await);
    throw(&ours, false).await;
    until(&theirs, Mode::Off).await;
    for on in [false, true] {
        let _: () = server.ask(&["DEL", RECORD]);
        let thrown = ours.switch_template("followed:<id>", on, "grace").await;
        thrown.expect("thrown");
        assert_eq!(field(&server, "mode").as_deref(), Some("off"));
        assert_eq!(ours.fleet().templates_off.len(), usize::from(!on));
        assert_eq!(ours.fleet().thrown.by.as_deref(), Some("ada"));
    }
    // By a process that knows nothing of it.
    let _: () = server.ask(&["DEL", RECORD]);
    let late = starting(&server);
    let thrown = late.switch_template("followed:<id>", false, "grace").await;
    thrown.expect("thrown");
    assert_eq!(late.mode(), Mode::Off);
    until_templates_are_off(&ours, 1).await;
    assert_eq!((ours.mode(), theirs.mode()), (Mode::Off, Mode::Off));
}

/// Whatever the clock of the server says: what was thrown last is in force.
#[tokio::test]
async fn a_clock_that_is_behind_does_not_undo_what_is_thrown() {
    let server = RedisServer::start();
    let ours = process(&server).await;
    let ahead = "88888888888888";
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on", "changed", ahead]);
    throw(&ours, false).await;
    assert!(field(&server, "changed").is_some_and(|changed| &*changed > ahead));
    // Lost while it is on, and put back: who knows nothing throws it after that.
    throw(&ours, true).await;
    let _: () = server.ask(&["DEL", RECORD]);
    until_field(&server, "mode", "on").await;
    throw(&starting(&server), false).await;
    until(&ours, Mode::Off).await;
    // By hand, on a server that has lost it.
    let _: u64 = server.ask(&["DEL", RECORD]);
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on", "by", "the operator"]);
    until(&ours, Mode::On).await;
    eventually("it is dated after that", async || {
        field(&server, "changed").is_some_and(|changed| &*changed > ahead)
    })
    .await;
}

/// An empty name is no name of the fleet.
#[tokio::test]
async fn no_template_is_the_fleet() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    throw(&cache, false).await;
    for (template, on) in [("", true), ("", false), ("mode", true)] {
        let _ = cache.switch_template(template, on, "mallory").await;
        assert_eq!(field(&server, "mode").as_deref(), Some("off"));
        assert!(!cache.fleet().on);
    }
}

#[tokio::test]
async fn with_redis_gone_each_process_keeps_what_it_knew() {
    let mut server = RedisServer::start();
    let (ours, theirs) = (process(&server).await, process(&server).await);
    throw(&ours, false).await;
    until(&theirs, Mode::Off).await;
    server.kill();
    let error = theirs
        .switch_fleet(true, "ada")
        .await
        .expect_err("nobody took it");
    assert_ne!(error.kind(), ErrorKind::Off);
    assert_eq!((ours.mode(), theirs.mode()), (Mode::Off, Mode::Off));
    // It comes back empty.
    server.restart();
    until_field(&server, "mode", "off").await;
    assert_eq!((ours.mode(), theirs.mode()), (Mode::Off, Mode::Off));
}

/// It takes no value any more, and is what somebody may throw the switch for.
#[tokio::test]
async fn a_full_redis_takes_the_switch() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let (ours, theirs) = (process(&server).await, process(&server).await);
    let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    throw(&ours, false).await;
    until(&theirs, Mode::Off).await;
    let _: () = server.ask(&["DEL", RECORD]);
    until_field(&server, "mode", "off").await;
    let off = ours.switch_template("followed:<id>", false, "ada").await;
    off.expect("thrown");
    throw(&ours, true).await;
    until(&theirs, Mode::On).await;
    read(&theirs).await;
}
