//! What is published for the `metrics` facade, as Prometheus would read it.

use std::collections::HashSet;

use cache_runtime::{
    Cache, CacheConfig, Key, Policy, cached, call_sites, global, install, invalidates,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

const GUIDE: &str = include_str!("../cache-runtime/docs/metrics.md");

const HOUR: Policy = Policy::new(std::time::Duration::from_secs(3600));

#[cached(key = "published:<id>", ttl = "1h")]
async fn find(id: u64) -> Result<u64, String> {
    if id == 0 {
        Err("there is no zero".to_owned())
    } else {
        Ok(id)
    }
}

#[invalidates("published:<id>", "published-list")]
async fn change(id: u64) {
    let _ = id;
}

#[cached(key = "published-list", ttl = "1h")]
async fn list() -> u64 {
    0
}

/// The lines of a scrape that are series: each with its value.
fn scrape(cache: &Cache) -> Vec<(String, f64)> {
    scrape_with(&PrometheusBuilder::new().build_recorder(), cache)
}

/// The same by a recorder that remembers what it was told before.
fn scrape_with(recorder: &PrometheusRecorder, cache: &Cache) -> Vec<(String, f64)> {
    metrics::with_local_recorder(recorder, || {
        // How often makes no difference.
        cache_runtime::metrics::publish(cache);
        cache_runtime::metrics::publish(cache);
    });
    let text = recorder.handle().render();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, value)| (series.to_owned(), value.parse().expect("a number")))
        .collect()
}

fn value(scraped: &[(String, f64)], name: &str, labels: &[&str]) -> f64 {
    let found = scraped.iter().filter(|(series, _)| {
        series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label))
    });
    let found: Vec<_> = found.collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}: {found:#?}");
    found[0].1
}

#[tokio::test]
#[allow(clippy::float_cmp, reason = "they are whole numbers")]
async fn what_happened_is_published_under_templates_and_never_keys() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    install(cache).expect("installed once");
    let before: HashSet<_> = scrape(global()).into_iter().map(|(name, _)| name).collect();
    for id in 0..10_000_u64 {
        let _ = find(id).await;
        let _ = find(id).await;
    }
    change(1).await;
    list().await;
    let scraped = scrape(global());
    let after: HashSet<_> = scraped.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(before, after, "ten thousand keys have added no series");

    let of_find = "function=\"metrics::find\"";
    for (function, expected, in_words) in [
        ("find", 71, "71 for a cached function"),
        ("list", 71, "71 for a cached function"),
        (
            "change",
            15,
            "15 for one that invalidates or writes through",
        ),
    ] {
        let label = format!("function=\"metrics::{function}\"");
        let series = after.iter().filter(|series| series.contains(&label));
        assert_eq!(series.count(), expected, "{function}");
        assert!(GUIDE.contains(in_words), "the guide: {in_words}");
    }
    let direct = after
        .iter()
        .filter(|series| series.contains("function=\"direct\""));
    assert_eq!(direct.count(), 70);
    assert!(GUIDE.contains("70 for direct calls"));
    let template = "template=\"published:<id>\"";
    for (name, label, expected) in [
        ("cache_calls_total", "outcome=\"hit\"", 9_999.0),
        ("cache_calls_total", "outcome=\"miss\"", 10_001.0),
        ("cache_loads_total", "result=\"ok\"", 9_999.0),
        ("cache_loads_total", "result=\"error\"", 2.0),
        ("cache_fills_total", "result=\"stored\"", 9_999.0),
        (
            "cache_load_duration_seconds_bucket",
            "le=\"+Inf\"",
            10_001.0,
        ),
    ] {
        let found = value(&scraped, name, &[of_find, template, label]);
        assert_eq!(found, expected, "{name} {label}");
    }
    let both = "template=\"published:<id>, published-list\"";
    let delivered = "result=\"delivered\"";
    assert_eq!(
        value(&scraped, "cache_invalidations_total", &[both, delivered]),
        2.0
    );
    assert_eq!(value(&scraped, "cache_on", &[]), 1.0);

    // Outcomes add up to the calls.
    let calls = scraped
        .iter()
        .filter(|(series, _)| series.starts_with("cache_calls_total{"));
    let calls: f64 = calls.map(|(_, count)| count).sum();
    #[allow(clippy::cast_precision_loss, reason = "few enough")]
    let expected = global().stats().calls() as f64;
    assert_eq!(calls, expected);

    // Buckets grow with their bounds.
    let buckets: Vec<f64> = scraped
        .iter()
        .filter(|(series, _)| {
            series.starts_with("cache_load_duration_seconds_bucket") && series.contains(of_find)
        })
        .map(|(_, count)| *count)
        .collect();
    assert_eq!(buckets.len(), 16);
    assert!(call_sites().count() >= 3);
}

#[tokio::test]
#[allow(clippy::float_cmp, reason = "they are whole numbers")]
async fn a_cache_of_its_own_is_published_by_its_direct_calls() {
    let config = CacheConfig::embedded().namespace("own");
    let cache = Cache::new(config).expect("a cache");
    let found = cache.get::<u64>(&Key::of("k"), HOUR).await;
    assert_eq!(found.expect("an answer"), None);
    cache.switch_fleet(false, "a test").await.expect("thrown");
    let scraped = scrape(&cache);
    let own = "namespace=\"own:0\"";
    let labels = [own, "function=\"direct\"", "outcome=\"unanswered\""];
    assert_eq!(value(&scraped, "cache_calls_total", &labels), 1.0);
    assert_eq!(value(&scraped, "cache_on", &[own]), 0.0);
    assert_eq!(value(&scraped, "cache_fleet_on", &[own]), 0.0);
}

/// 1. A load runs while the metrics are scraped.
/// 2. It fails.
///
/// A counter that has said of it that it went well could not take that back.
#[tokio::test]
#[allow(clippy::float_cmp, reason = "they are whole numbers")]
async fn a_load_is_published_when_it_has_ended() {
    let config = CacheConfig::embedded().namespace("mid-load");
    let cache = Cache::new(config).expect("a cache");
    let key = Key::of("k");
    let recorder = PrometheusBuilder::new().build_recorder();
    let loads = || {
        let scraped = scrape_with(&recorder, &cache);
        ["result=\"ok\"", "result=\"error\""].map(|result| {
            let labels = ["namespace=\"mid-load:0\"", "function=\"direct\"", result];
            value(&scraped, "cache_loads_total", &labels)
        })
    };
    let load = || async {
        assert_eq!(loads(), [0.0, 0.0], "it runs");
        Err::<u64, _>("as planned")
    };
    let loaded = cache.get_or_load(&key, HOUR, load).await;
    assert_eq!(loaded, Err("as planned"));
    assert_eq!(loads(), [0.0, 1.0]);
    let load = || async { Ok::<_, ()>(1_u64) };
    assert_eq!(cache.get_or_load(&key, HOUR, load).await, Ok(1));
    assert_eq!(loads(), [1.0, 1.0]);
}

#[cached(key = "published:named:<id>", ttl = "1h", cache = cache, skip(cache))]
async fn named(cache: &Cache, id: u64) -> u64 {
    let _ = cache;
    id
}

#[tokio::test]
#[allow(clippy::float_cmp, reason = "they are whole numbers")]
async fn a_function_that_names_its_cache_is_published_under_its_name() {
    let config = CacheConfig::embedded().namespace("named");
    let cache = Cache::new(config).expect("a cache");
    for _ in 0..3 {
        named(&cache, 1).await;
    }
    let scraped = scrape(&cache);
    let of = |function: &str, outcome: &str| {
        let (function, outcome) = (
            format!("function=\"{function}\""),
            format!("outcome=\"{outcome}\""),
        );
        let labels = ["namespace=\"named:0\"", &function, &outcome];
        value(&scraped, "cache_calls_total", &labels)
    };
    assert_eq!(of("metrics::named", "miss"), 1.0);
    assert_eq!(of("metrics::named", "hit"), 2.0);
    assert_eq!(of("direct", "miss"), 0.0);
    assert_eq!(of("direct", "hit"), 0.0);
}
