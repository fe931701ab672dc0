//! A person with `redis-cli`, as the guide tells it.

use cache_runtime::{Changed, ErrorKind, Mode};
use cache_tests::{RedisServer, eventually};

use super::{RECORD, field, process, throw, until, until_field, until_templates_are_off};

#[tokio::test]
async fn it_can_be_thrown_by_hand() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    for (mode, then) in [("off", Mode::Off), ("on", Mode::On), ("OFF", Mode::Off)] {
        let _: u64 = server.ask(&["HSET", RECORD, "mode", mode, "by", "the operator"]);
        until(&cache, then).await;
    }
    assert_eq!(cache.fleet().thrown.by.as_deref(), Some("the operator"));
    let _: u64 = server.ask(&[
        "HSET",
        RECORD,
        "mode",
        "on",
        "off:followed:<id>",
        "ada: prices",
    ]);
    until_templates_are_off(&cache, 1).await;
    assert_eq!(cache.mode(), Mode::On);
    let off = cache.fleet().templates_off.remove(0);
    assert_eq!(off.thrown.by.as_deref(), Some("ada: prices"));
    let _: u64 = server.ask(&["HDEL", RECORD, "off:followed:<id>"]);
    until_templates_are_off(&cache, 0).await;
}

#[tokio::test]
async fn what_says_neither_on_nor_off_changes_nothing() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    throw(&cache, false).await;
    let is_told = |word: &'static str| {
        let cache = cache.clone();
        async move || {
            let changes = cache.changes();
            let mut told = changes.iter().map(|change| &change.what);
            told.any(|what| matches!(what, Changed::FleetUnread { error } if error.contains(word)))
        }
    };
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "perhaps"]);
    eventually("a warning", is_told("perhaps")).await;
    assert_eq!(cache.mode(), Mode::Off);
    throw(&cache, true).await;
    assert_eq!(field(&server, "mode").as_deref(), Some("on"));
}

/// A record that is no hash is refused for as long as it stands. Nothing else suffers: the connection goes on.
#[tokio::test]
async fn what_is_no_record_changes_nothing() {
    let server = RedisServer::start();
    let _: () = server.ask(&["SET", RECORD, "off"]);
    let cache = process(&server).await;
    assert_eq!(cache.mode(), Mode::On);
    let opened = || -> String {
        let info: String = server.ask(&["INFO", "stats"]);
        let mut lines = info.lines();
        let line = lines.find(|line| line.starts_with("total_connections_received"));
        line.expect("a figure").to_owned()
    };
    // Each question of this test is one as well.
    let number = |line: &str| line.rsplit(':').next().and_then(|n| n.parse::<u64>().ok());
    let (asked, before) = (server.calls_of("hgetall"), number(&opened()));
    let mut questions = 0;
    eventually("it is asked ten times", async || {
        questions += 1;
        server.calls_of("hgetall") > asked + 10
    })
    .await;
    let after = number(&opened());
    let others = after.zip(before).map(|(after, before)| after - before);
    assert_eq!(others, Some(questions + 1), "no connection was opened anew");
    let changes = cache.changes();
    let told = changes.iter().map(|change| change.what.to_string());
    let advice = "`cache:%switch` is no record of the fleet's switch: `DEL` it";
    assert_eq!(told.filter(|told| told.contains(advice)).count(), 1);
    let error = cache.switch_fleet(false, "ada").await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Rejected);
}

/// It is dated by the processes, so that an older record does not undo it.
#[tokio::test]
async fn what_was_thrown_by_hand_stays_thrown() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    throw(&cache, true).await;
    let older = field(&server, "changed").expect("a time");
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "off", "by", "the operator"]);
    eventually("a date", async || {
        field(&server, "changed").is_some_and(|changed| changed > older)
    })
    .await;
    until(&cache, Mode::Off).await;
    eventually("the date is known", async || {
        cache.fleet().thrown.since.is_some()
    })
    .await;
    assert_eq!(field(&server, "since"), field(&server, "changed"));
    assert_eq!(field(&server, "changed_by"), None);
    // From a snapshot.
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on", "changed", &older]);
    until_field(&server, "mode", "off").await;
    assert_eq!(cache.mode(), Mode::Off);
    assert_eq!(cache.fleet().thrown.by.as_deref(), Some("the operator"));
}

#[tokio::test]
async fn a_hundred_templates_can_be_off() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    throw(&cache, true).await;
    for i in 1..100 {
        let _: u64 = server.ask(&["HSET", RECORD, &format!("off:of another program:{i}"), ""]);
    }
    for _ in 0..2 {
        let off = cache.switch_template("followed:<id>", false, "ada").await;
        off.expect("the hundredth, and then one that is off already");
    }
    let _: u64 = server.ask(&["HDEL", RECORD, "off:followed:<id>"]);
    let _: u64 = server.ask(&["HSET", RECORD, "off:of another program:100", ""]);
    let error = cache.switch_template("followed:<id>", false, "ada").await;
    let error = error.expect_err("one too many");
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(
        error.to_string().contains("100 templates are off"),
        "{error}"
    );
}
