//! What `tracing` is told of a call: spans of what goes over the network and of loads, and no key unless it is asked for.

use std::fmt;
use std::sync::{Arc, Mutex};

use cache_runtime::{Cache, CacheConfig, cached, invalidates};
use cache_tests::RedisServer;
use tracing::Event;
use tracing::field::{Field, Visit};
use tracing::instrument::WithSubscriber;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
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

/// Each span, as a line: its name, its fields, and those of the events in it.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

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
        let mut line = Line(attributes.metadata().name().to_owned());
        attributes.record(&mut line);
        let span = context.span(id).expect("it is new");
        span.extensions_mut().insert(line);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).expect("it is open");
        if let Some(line) = span.extensions_mut().get_mut::<Line>() {
            values.record(line);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if let Some(span) = context.event_span(event)
            && let Some(line) = span.extensions_mut().get_mut::<Line>()
        {
            event.record(line);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).expect("it closes");
        if let Some(line) = span.extensions().get::<Line>() {
            self.0.lock().expect("no panic").push(line.0.clone());
        }
    }
}

/// The spans of ours that `call` has.
async fn spans(level: LevelFilter, call: impl Future<Output = ()>) -> Vec<String> {
    let told = Told::default();
    let subscriber = Registry::default().with(told.clone().with_filter(level));
    call.with_subscriber(subscriber).await;
    let mut lines = told.0.lock().expect("no panic");
    lines.retain(|line| line.starts_with("cache."));
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
    for (name, command) in [("read", "GET"), ("acquire", "EVALSHA"), ("fill", "EVALSHA")] {
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
    assert_eq!(lines.len(), 4, "{lines:#?}");
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
    assert!(step(&lines, "read").contains("error.type=unavailable"));
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
