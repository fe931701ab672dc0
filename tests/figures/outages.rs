//! A Redis that is refused, hung or garbled: what it costs a call, and how soon everything is well again.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cache_runtime::{Cache, CacheConfig, Key, Policy, global};
use cache_tests::garbler::Garbler;
use cache_tests::{RedisServer, eventually};

use crate::this_program;

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

/// After this many failures in a row the breaker is open.
const BEFORE_THE_BREAKER: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Outage {
    Refused,
    Hung,
    Garbled,
}

/// A Redis that can fail in each way.
struct Redis {
    server: RedisServer,
    garbler: Garbler,
}

impl Redis {
    fn start() -> Self {
        let server = RedisServer::start();
        let garbler = Garbler::in_front_of(server.port(), b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
        Self { server, garbler }
    }

    fn url(&self, outage: Outage) -> String {
        match outage {
            Outage::Refused | Outage::Hung => self.server.url(),
            Outage::Garbled => self.garbler.url(),
        }
    }

    fn begin(&mut self, outage: Outage) {
        match outage {
            Outage::Refused => self.server.kill(),
            Outage::Hung => self.server.freeze(),
            Outage::Garbled => self.garbler.set_garbling(true),
        }
    }

    fn end(&mut self, outage: Outage) {
        match outage {
            Outage::Refused => self.server.restart(),
            Outage::Hung => self.server.thaw(),
            Outage::Garbled => self.garbler.set_garbling(false),
        }
    }
}

fn cache(url: &str) -> Cache {
    Cache::new(CacheConfig::redis(url).expect("a URL")).expect("a cache")
}

/// Calls a function whose source is free, and tells how long the calls took beyond that.
async fn added(cache: &Cache, key: &Key, calls: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let started = Instant::now();
        let loaded = cache
            .get_or_load(key, HOUR, async || Ok::<_, ()>(7_u64))
            .await;
        times.push(started.elapsed());
        assert_eq!(loaded, Ok(7));
    }
    times
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

/// Prints the table.
pub(crate) async fn measure() {
    println!(
        "{:<10}{:>16}{:>18}{:>16}{:>16}{:>18}",
        "Redis",
        "very first call",
        "slowest of five",
        "median after",
        "hits again",
        "in force after"
    );
    for outage in [Outage::Refused, Outage::Hung, Outage::Garbled] {
        measure_one(outage).await;
    }
    well().await;
}

async fn measure_one(outage: Outage) {
    let mut redis = Redis::start();
    let url = redis.url(outage);
    let directory = tempfile::TempDir::new().expect("a folder");
    let source = directory.path().join("source");
    std::fs::write(&source, "0").expect("to write");

    let (cache, key) = (cache(&url), Key::of("outage"));
    added(&cache, &key, 10).await;
    let mut other = this_program("watch", Some(&url))
        .env("SOURCE", &source)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut seen = BufReader::new(other.stdout.take().expect("its output")).lines();
    let first = seen.next().expect("a line").expect("a line");
    assert!(first.ends_with(" 0"), "it reads, through the cache");

    redis.begin(outage);
    let first_ever = added(&self::cache(&url), &key, 1).await[0];
    let times = added(&cache, &key, 1000).await;
    let (before, after) = times.split_at(BEFORE_THE_BREAKER);
    std::fs::write(&source, "1").expect("to write");
    assert!(
        cache.invalidate(&watched()).await.is_err(),
        "nobody took it"
    );

    redis.end(outage);
    let (ended, ended_at) = (Instant::now(), now());
    let hits = cache.stats().hits;
    eventually("hits", async || {
        added(&cache, &key, 1).await;
        cache.stats().hits > hits
    })
    .await;
    let hits_again = ended.elapsed();
    eventually("delivered", async || cache.undelivered() == 0).await;
    let delivered = ended.elapsed();
    // The other process goes on reading for as long again, so that an old value would be seen.
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(other.stdin.take());
    let (mut value, mut in_force) = ('0', delivered);
    for line in seen.map_while(Result::ok) {
        let (at, read) = line.split_once(' ').expect("a time and a value");
        value = read.chars().next().expect("a value");
        let at: u64 = at.parse().expect("a time");
        in_force = in_force.max(Duration::from_millis(at.saturating_sub(ended_at)));
    }
    assert_eq!(value, '1', "the other process reads the new value");
    assert!(other.wait().expect("its end").success());

    println!(
        "{:<10}{:>16}{:>18}{:>16}{:>16}{:>18}",
        format!("{outage:?}").to_lowercase(),
        format!("{first_ever:.1?}"),
        format!("{:.1?}", before.iter().max().expect("five")),
        format!("{:.2?}", median(after)),
        format!("{hits_again:.0?}"),
        format!("{in_force:.0?}"),
    );
}

/// What it costs where nothing goes wrong.
async fn well() {
    const HITS: usize = 10_000;
    let server = RedisServer::start();
    let (cache, key) = (cache(&server.url()), Key::of("well"));
    added(&cache, &key, 10).await;
    let _: () = server.ask(&["CONFIG", "RESETSTAT"]);
    let started = Instant::now();
    let times = added(&cache, &key, HITS).await;
    let took = started.elapsed();
    let mut connection = redis::Client::open(server.url())
        .expect("a URL")
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    let gets = server.calls_of("get");
    let of_the_epoch = server.calls_of("getrange");
    let mut plain = Vec::with_capacity(HITS);
    for _ in 0..HITS {
        let started = Instant::now();
        let _: Option<Vec<u8>> = redis::cmd("GET")
            .arg("well")
            .query_async(&mut connection)
            .await
            .expect("an answer");
        plain.push(started.elapsed());
    }
    println!(
        "\nwell: {HITS} hits are {gets} GET, and {of_the_epoch} looks at the epoch in {took:.1?}; median {:.1?}, of a plain GET {:.1?}",
        median(&times),
        median(&plain),
    );
}

fn watched() -> Key {
    Key::of("watched")
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.expect("after 1970").as_millis()).expect("before long")
}

/// What the other process does: reads one key through the cache of its environment until its input ends, and tells each
/// change of what it reads, with the time.
pub(crate) async fn watch() {
    let source = std::env::var_os("SOURCE").expect("a file");
    let ends = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    let mut last = String::new();
    while !ends.is_finished() {
        let load = async || std::fs::read_to_string(Path::new(&source));
        let read = global().get_or_load(&watched(), HOUR, load).await;
        let read = read.expect("a file");
        if read != last {
            println!("{} {read}", now());
            last = read;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
