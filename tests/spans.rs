//! What `tracing` is told of a call: spans of what goes over the network and of loads, and no key unless it is asked for.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cache_runtime::test_util::TestClock;
use cache_runtime::{
    Cache, CacheConfig, CacheKey, Key, Policy, bypass, cached, invalidates, only_cached,
};
use cache_tests::{RedisServer, eventually};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Instrument};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

#[cached(key = "spans:<id>", ttl = "1h", cache = cache, skip(cache))]
async fn find(cache: &Cache, id: u64) -> u64 {
    tracing::info!("the body");
    id
}

#[invalidates("spans:<id>", cache = cache)]
async fn change(cache: &Cache, id: u64) {
    let _ = (cache, id);
}

/// Each span, as a line: its name, what it stands in or follows from, its fields, and those of the events in it. Warnings, likewise.
#[derive(Clone, Default)]
struct Told {
    lines: Arc<Mutex<Vec<String>>>,
    /// The names of those that are open.
    open: Arc<Mutex<Vec<&'static str>>>,
}

impl Told {
    /// How many are open whose name begins so.
    fn open(&self, name: &str) -> usize {
        let open = self.open.lock().expect("no panic");
        open.iter().filter(|open| open.starts_with(name)).count()
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 = format!("{} {field}={value:?}", self.0);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0 = format!("{} {field}={value}", self.0);
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Told {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).expect("it is new");
        let within = span.parent().map_or("nothing", |parent| parent.name());
        let name = attributes.metadata().name();
        self.open.lock().expect("no panic").push(name);
        let mut line = Line(format!("{name} in={within}"));
        attributes.record(&mut line);
        span.extensions_mut().insert(line);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("it is open");
        if let Some(line) = span.extensions_mut().get_mut::<Line>() {
            values.record(line);
        }
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, context: Context<'_, S>) {
        let (span, before) = (context.span(id), context.span(follows));
        let before = before.expect("it is open").name();
        let span = span.expect("it is open");
        if let Some(Line(line)) = span.extensions_mut().get_mut() {
            *line = format!("{line} after={before}");
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() == tracing::Level::WARN {
            let mut line = Line("warning".to_owned());
            event.record(&mut line);
            self.lines.lock().expect("no panic").push(line.0);
        }
        if let Some(span) = context.event_span(event)
            && let Some(line) = span.extensions_mut().get_mut::<Line>()
        {
            event.record(line);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).expect("it closes");
        if let Some(line) = span.extensions().get::<Line>() {
            self.lines.lock().expect("no panic").push(line.0.clone());
        }
        let mut open = self.open.lock().expect("no panic");
        if let Some(at) = open.iter().position(|name| *name == span.name()) {
            open.swap_remove(at);
        }
    }
}

/// The spans of ours that `call` has, once all of them have ended.
async fn spans(level: LevelFilter, call: impl Future<Output = ()>) -> Vec<String> {
    spans_of(level, |_| call).await
}

/// The same of a call that looks at what is open.
async fn spans_of<F: Future<Output = ()>>(
    level: LevelFilter,
    call: impl FnOnce(Told) -> F,
) -> Vec<String> {
    let told = Told::default();
    let subscriber = Registry::default().with(told.clone().with_filter(level));
    // Of the thread, and so of its tasks.
    let guard = tracing::subscriber::set_default(subscriber);
    call(told.clone()).await;
    eventually("all have ended", async || told.open("cache.") == 0).await;
    drop(guard);
    let mut lines = told.lines.lock().expect("no panic");
    lines.retain(|line| line.starts_with("cache.") || line.starts_with("warning"));
    std::mem::take(&mut lines)
}

fn step<'l>(lines: &'l [String], name: &str) -> &'l str {
    let field = format!("cache.step={name} ");
    let found = lines
        .iter()
        .find(|line| format!("{line} ").contains(&field));
    found.unwrap_or_else(|| panic!("no {name} in {lines:#?}"))
}

#[tokio::test]
async fn a_miss_shows_its_steps_and_its_load() {
    let server = RedisServer::start();
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    let lines = spans(LevelFilter::INFO, async {
        find(&cache, 421).await;
    })
    .await;
    assert!(
        lines.iter().any(|line| line.contains("message=the body")),
        "{lines:#?}"
    );
    for (name, command) in [
        // Of the first call of a process alone.
        ("fleet", "HGETALL"),
        ("read", "GET"),
        ("acquire", "EVALSHA"),
        ("fill", "EVALSHA"),
    ] {
        let line = step(&lines, name);
        for field in [
            "cache.store",
            "otel.kind=client",
            "db.system.name=redis",
            &format!("db.operation.name={command}"),
            "cache.template=spans:<id>",
            "code.function.name=spans::find",
        ] {
            assert!(line.contains(field), "{field}: {line}");
        }
    }
    let load = lines.iter().find(|line| line.starts_with("cache.load"));
    assert!(load.is_some_and(|line| line.contains("cache.template=spans:<id>")));
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(!lines.concat().contains("421"), "no key: {lines:#?}");

    let lines = spans(LevelFilter::DEBUG, async {
        find(&cache, 421).await;
        change(&cache, 421).await;
    })
    .await;
    assert_eq!(lines.len(), 2, "a hit and an invalidation: {lines:#?}");
    assert!(step(&lines, "read").contains("spans:421"));
    assert!(step(&lines, "invalidate").contains("code.function.name=spans::change"));
}

#[tokio::test]
async fn a_step_that_fails_says_how() {
    let mut server = RedisServer::start();
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    server.kill();
    let lines = spans(LevelFilter::INFO, async {
        find(&cache, 1).await;
    })
    .await;
    // The first call of a process asks this before anything else.
    let read = step(&lines, "fleet");
    assert!(read.contains("db.operation.name=HGETALL"), "{read}");
    assert!(read.contains("error.type=unavailable"), "{read}");
    assert!(read.contains("otel.status_code=ERROR"), "{read}");
    server.restart();
    eventually("it is learned", async || {
        find(&cache, 1).await;
        cache.stats().hits > 0
    })
    .await;
    server.kill();
    let lines = spans(LevelFilter::INFO, async {
        find(&cache, 2).await;
    })
    .await;
    let read = step(&lines, "read");
    assert!(read.contains("db.operation.name=GET"), "{read}");
    assert!(read.contains("error.type=unavailable"), "{read}");
    assert!(read.contains("otel.status_code=ERROR"), "{read}");
}

#[tokio::test]
async fn what_stays_in_the_process_has_no_span() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let lines = spans(LevelFilter::TRACE, async {
        find(&cache, 1).await;
        find(&cache, 1).await;
        change(&cache, 1).await;
    })
    .await;
    assert!(matches!(&lines[..], [load] if load.starts_with("cache.load")));
}

fn redis(server: &RedisServer) -> CacheConfig {
    CacheConfig::redis(&server.url()).expect("a URL")
}

/// How many of the lines have all of this.
fn count(lines: &[String], all: &[&str]) -> usize {
    let has_all = |line: &&String| all.iter().all(|text| line.contains(text));
    lines.iter().filter(has_all).count()
}

#[cached(key = "spans:tagged:<id>", ttl = "1h", tags = ["spans:<id>", "spans"], cache = cache, skip(cache))]
async fn tagged(cache: &Cache, id: u64) -> u64 {
    let _ = cache;
    id
}

#[tokio::test]
async fn the_tags_of_a_value_are_steps_of_their_own() {
    let server = RedisServer::start();
    let cache = Cache::new(redis(&server)).expect("a cache");
    let calls = async || {
        tagged(&cache, 1).await;
    };
    let lines = spans(LevelFilter::INFO, calls()).await;
    for (step, times) in [("read", 3), ("acquire", 3), ("fill", 3)] {
        let of = [
            &format!("cache.step={step}"),
            "cache.template=spans:tagged:<id>",
        ];
        assert_eq!(count(&lines, &of.map(AsRef::as_ref)), times, "{lines:#?}");
    }
    let lines = spans(LevelFilter::INFO, calls()).await;
    let reads = count(&lines, &["cache.step=read", "db.operation.name=GET"]);
    assert_eq!((reads, lines.len()), (3, 3), "a hit: {lines:#?}");
}

#[cached(key = "spans:many:<id>", ttl = "1h", batch(id in ids), cache = cache, skip(cache))]
async fn many(cache: &Cache, ids: &[u64]) -> HashMap<u64, u64> {
    let _ = cache;
    tracing::info!("the body");
    ids.iter().map(|id| (*id, *id)).collect()
}

#[tokio::test]
async fn the_body_for_several_keys_is_one_load() {
    let server = RedisServer::start();
    let cache = Cache::new(redis(&server)).expect("a cache");
    let lines = spans(LevelFilter::INFO, async {
        many(&cache, &[1, 2, 3]).await;
        bypass(many(&cache, &[1, 2, 3])).await;
    })
    .await;
    let load = ["cache.load", "spans:many:<id>", "message=the body"];
    assert_eq!(count(&lines, &load), 2, "{lines:#?}");
    // The round trips of several keys have none, but for the first question of a process.
    assert_eq!(count(&lines, &["cache.step=fleet"]), 1, "{lines:#?}");
    assert_eq!(lines.len(), 3, "{lines:#?}");
}

#[cached(
    key = "spans:aging:<id>",
    ttl = "1h",
    stale_while_revalidate = "10m",
    verify = 1.0,
    cache = cache,
    skip(cache, source)
)]
async fn aging(cache: &Cache, id: u64, source: u64) -> u64 {
    let _ = (cache, id);
    tracing::info!("the body");
    source
}

#[tokio::test]
async fn what_goes_on_without_its_caller_follows_from_him() {
    let server = RedisServer::start();
    let clock = TestClock::new();
    let cache = Cache::new(redis(&server).clock(&clock)).expect("a cache");
    let call = async |source, what: &str| {
        let span = tracing::info_span!("caller");
        let before = cache.stats();
        assert_eq!(aging(&cache, 1, source).instrument(span).await, 1);
        eventually(what, async || {
            let since = cache.stats().since(&before);
            since.fills + since.verified + since.mismatches == 1
        })
        .await;
    };
    let lines = spans(LevelFilter::INFO, call(1, "a fill")).await;
    assert_eq!(count(&lines, &["cache.load in=caller"]), 1, "{lines:#?}");

    let lines = spans(LevelFilter::INFO, call(1, "a verification")).await;
    let task = [
        "cache.task in=nothing",
        " after=caller",
        "cache.task=verify",
        "cache.template=spans:aging:<id>",
    ];
    assert_eq!(count(&lines, &task), 1, "{lines:#?}");
    let verification = ["cache.verify in=cache.task", "message=the body"];
    assert_eq!(count(&lines, &verification), 1, "{lines:#?}");

    clock.advance(Duration::from_secs(5));
    let lines = spans(LevelFilter::INFO, call(2, "a mismatch")).await;
    let task = ["cache.task in=nothing", " after=cache.task", "=confirm"];
    assert_eq!(count(&lines, &task), 1, "{lines:#?}");
    let looks = ["cache.store in=cache.task", "cache.step=read"];
    assert!(count(&lines, &looks) > 3, "{lines:#?}");
    let age = age_told(&lines, "spans:aging:<id>");
    assert!((5.0..60.0).contains(&age), "{lines:#?}");

    clock.advance(Duration::from_secs(3600));
    let lines = spans(LevelFilter::INFO, call(1, "a refresh")).await;
    let task = [
        "cache.task in=nothing",
        " after=caller",
        "cache.task=refresh",
    ];
    assert_eq!(count(&lines, &task), 1, "{lines:#?}");
    let load = ["cache.load in=cache.task", "message=the body"];
    assert_eq!(count(&lines, &load), 1, "{lines:#?}");
    // The right to replace it is taken, and given back.
    for (step, times) in [("acquire", 1), ("refresh", 1), ("fill", 1)] {
        let step = ["cache.store in=cache.task", &format!("cache.step={step} ")];
        assert_eq!(count(&lines, &step), times, "{lines:#?}");
    }
}

/// The age that the warning tells of.
fn age_told(lines: &[String], template: &str) -> f64 {
    let template = format!("template={template} ");
    let is_it = |line: &&String| line.starts_with("warning") && line.contains(&template);
    let warning = lines.iter().find(is_it).expect("a warning");
    let age = warning
        .split("age_at_most_seconds=")
        .nth(1)
        .expect("an age");
    let age = age.split(' ').next().unwrap_or_default();
    age.parse().expect("a number")
}

#[tokio::test]
async fn a_wait_for_another_is_told_with_its_looks() {
    let server = RedisServer::start();
    let patient = || redis(&server).wait(Duration::from_secs(60));
    let [here, there] = [(); 2].map(|()| Cache::new(patient()).expect("a cache"));
    let key = &Key::of("spans").part("waited");
    let policy = Policy::new(Duration::from_secs(60));
    let lines = spans_of(LevelFilter::INFO, |told| async move {
        let load = || async {
            let waited = "both wait, and one looks";
            eventually(waited, async || told.open("cache.wait") == 2).await;
            Ok::<u64, ()>(1)
        };
        let leading = here.get_or_load(key, policy, load);
        let waiting = async {
            eventually("it loads", async || told.open("cache.load") == 1).await;
            let waits = [&here, &there].map(|cache| cache.get_or_load(key, policy, load));
            futures_util::future::join_all(waits).await;
        };
        let (led, ()) = futures_util::future::join(leading, waiting).await;
        assert_eq!(led, Ok(1));
        let found = here.get::<u64>(key, policy).await;
        assert_eq!(found.expect("an answer"), Some(1));
    })
    .await;
    assert_eq!(count(&lines, &["cache.wait in=nothing"]), 2, "{lines:#?}");
    let looks = ["cache.store in=cache.wait", "cache.step=read"];
    assert!(count(&lines, &looks) > 0, "{lines:#?}");
    assert_eq!(count(&lines, &["cache.load"]), 1, "{lines:#?}");
    // Those of the three calls, and of the last.
    let reads = ["cache.store in=nothing", "cache.step=read"];
    assert_eq!(count(&lines, &reads), 4, "{lines:#?}");
}

#[derive(CacheKey)]
#[cache_key("spans:typed:<id>", value = u64)]
struct Typed {
    id: u64,
}

#[cached(key = Typed { id }, ttl = expires, verify = 1.0, cache = cache, skip(cache, expires, source))]
async fn typed(cache: &Cache, id: u64, expires: Duration, source: u64) -> u64 {
    let _ = (cache, id, expires);
    source
}

/// A caller waits for the body; the warning has the template of the key's type, and no template where there is none.
#[tokio::test]
async fn a_stale_value_is_told_of_with_its_template_and_age() {
    let server = RedisServer::start();
    let minute = Duration::from_secs(60);
    let lines = spans(LevelFilter::INFO, async {
        let clock = TestClock::new();
        let cache = Cache::new(redis(&server).clock(&clock)).expect("a cache");
        assert_eq!(typed(&cache, 1, minute, 1).await, 1);
        assert_eq!(typed(&cache, 1, minute, 2).await, 1);
        eventually("a mismatch", async || cache.stats().mismatches == 1).await;
        assert!(only_cached(typed(&cache, 1, minute, 2)).await.is_some());
    })
    .await;
    assert_eq!(count(&lines, &["cache.verify in=nothing"]), 1, "{lines:#?}");
    let age = age_told(&lines, "spans:typed:<id>");
    // What was stored lives a tenth shorter at most.
    assert!((0.0..30.0).contains(&age), "{lines:#?}");

    let lines = spans(LevelFilter::INFO, async {
        let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
        let policy = Policy::new(minute).verify(1.0);
        for source in [1, 2] {
            let load = || async move { Ok::<u64, ()>(source) };
            let loaded = cache.get_or_load(&Key::of("spans"), policy, load).await;
            assert_eq!(loaded, Ok(1));
        }
        eventually("a mismatch", async || cache.stats().mismatches == 1).await;
    })
    .await;
    let told = ["warning", "function=a direct call", "age_at_most_seconds="];
    assert_eq!(count(&lines, &told), 1, "{lines:#?}");
    assert_eq!(count(&lines, &["warning", "template="]), 0, "{lines:#?}");
}
