//! The switch of the fleet among processes, and what becomes of it where Redis loses it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cache_runtime::{Cache, CacheConfig, Changed, ErrorKind, Key, Mode, Policy, cached};
use cache_tests::{RedisServer, eventually};

const RECORD: &str = "cache:%switch";

/// A process of its own, as far as the store can tell, that has begun to follow.
async fn process(server: &RedisServer) -> Cache {
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    read(&cache).await;
    cache
}

async fn read(cache: &Cache) {
    let policy = Policy::new(Duration::from_secs(3600));
    let load = async || Ok::<_, ()>(1_u8);
    let read = cache.get_or_load(&Key::of("k"), policy, load).await;
    assert_eq!(read, Ok(1));
}

async fn until(cache: &Cache, mode: Mode) {
    eventually("the mode", async || cache.mode() == mode).await;
}

async fn throw(cache: &Cache, on: bool) {
    cache.switch_fleet(on, "ada").await.expect("thrown");
}

#[cached(key = "followed:<id>", ttl = "1h", cache = cache, skip(cache))]
async fn followed(id: u64, cache: &Cache) -> u64 {
    id
}

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
    eventually("the template", async || {
        theirs.fleet().templates_off.len() == 1
    })
    .await;
    followed(1, &theirs).await;
    assert_eq!(theirs.stats().calls(), 1, "only the first read");
    let on = ours.switch_template("followed:<id>", true, "hedy").await;
    on.expect("thrown");
    eventually("the template", async || {
        theirs.fleet().templates_off.is_empty()
    })
    .await;
    let change = theirs.changes().pop().expect("a change");
    assert_eq!(change.by.as_deref(), Some("hedy"));
    let another = Cache::new(
        CacheConfig::redis(&server.url())
            .expect("a URL")
            .namespace("another"),
    );
    let another = another.expect("a cache");
    read(&another).await;
    assert!(another.fleet().on, "a namespace is a fleet of its own");
}

/// A person with `redis-cli`, as the guide tells it.
#[tokio::test]
async fn it_can_be_thrown_by_hand() {
    let server = RedisServer::start();
    let cache = process(&server).await;
    for (mode, then) in [("off", Mode::Off), ("on", Mode::On), ("off", Mode::Off)] {
        let _: u64 = server.ask(&["HSET", RECORD, "mode", mode, "by", "the operator"]);
        until(&cache, then).await;
    }
    assert_eq!(cache.fleet().thrown.by.as_deref(), Some("the operator"));
    // What says neither changes nothing; nor does what is no record.
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "perhaps"]);
    throw(&cache, false).await;
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on", "off:followed:<id>", ""]);
    eventually("the template", async || {
        cache.mode() == Mode::On && cache.fleet().templates_off.len() == 1
    })
    .await;
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

#[tokio::test]
async fn what_redis_loses_is_put_back() {
    let server = RedisServer::start();
    let (ours, theirs) = (process(&server).await, process(&server).await);
    throw(&ours, false).await;
    until(&theirs, Mode::Off).await;
    let known = ours.fleet();
    let _: () = server.ask(&["FLUSHALL"]);
    eventually("the record", async || {
        server
            .ask::<Option<String>>(&["HGET", RECORD, "mode"])
            .as_deref()
            == Some("off")
    })
    .await;
    // An older one comes back, as with a snapshot.
    let _: u64 = server.ask(&["HSET", RECORD, "mode", "on", "by", "", "changed", "1000"]);
    eventually("the record", async || {
        server
            .ask::<Option<String>>(&["HGET", RECORD, "mode"])
            .as_deref()
            == Some("off")
    })
    .await;
    let late = process(&server).await;
    until(&late, Mode::Off).await;
    assert_eq!(late.fleet(), known, "with who and when");

    // And on again, for all, whatever was lost.
    throw(&late, true).await;
    until(&ours, Mode::On).await;
    until(&theirs, Mode::On).await;
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
    eventually("the record", async || {
        server
            .ask::<Option<String>>(&["HGET", RECORD, "mode"])
            .as_deref()
            == Some("off")
    })
    .await;
    assert_eq!((ours.mode(), theirs.mode()), (Mode::Off, Mode::Off));
}

/// 1. The switch is off, and the runtime that follows it ends. 2. It is thrown on elsewhere. 3. Calls are plain, and go nowhere: they see to it
///    that somebody follows.
#[test]
fn a_process_goes_on_following_on_another_runtime() {
    let server = RedisServer::start();
    let runtime = || {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().expect("a runtime")
    };
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

/// A real process, which tells of itself line by line.
struct Worker(Child, BufReader<std::process::ChildStdout>);

impl Worker {
    fn command(server: &RedisServer, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        for name in [
            "REDIS_HOST",
            "CACHE_ENABLED",
            "REDIS_ENABLED",
            "CACHE_NAMESPACE",
        ] {
            command.env_remove(name);
        }
        command.args(args).env("REDIS_URL", server.url());
        command
    }

    fn start(server: &RedisServer) -> Self {
        let mut child = Self::command(server, &["obey"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a worker");
        let output = child.stdout.take().expect("its output");
        Self(child, BufReader::new(output))
    }

    fn throw(server: &RedisServer, to: &str) {
        let status = Self::command(server, &["throw", to]).status();
        assert!(status.is_ok_and(|status| status.success()));
    }

    /// Has it read a key; what it tells.
    fn reads(&mut self) -> String {
        let input = self.0.stdin.as_mut().expect("its input");
        writeln!(input).expect("a worker that reads");
        let mut line = String::new();
        self.1.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    async fn until(&mut self, mode: &str) {
        let worker = std::cell::RefCell::new(self);
        eventually("the mode", async || {
            worker
                .borrow_mut()
                .reads()
                .ends_with(&format!("mode={mode}"))
        })
        .await;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With annotated functions, and processes that end.
#[tokio::test]
async fn it_outlives_the_process_that_threw_it() {
    let server = RedisServer::start();
    let mut first = Worker::start(&server);
    assert_eq!(first.reads(), "runs=1 mode=On");
    assert_eq!(first.reads(), "runs=1 mode=On");
    Worker::throw(&server, "off");
    first.until("Off").await;
    let mut later = Worker::start(&server);
    later.until("Off").await;
    drop(first);
    Worker::throw(&server, "on");
    later.until("On").await;
}
