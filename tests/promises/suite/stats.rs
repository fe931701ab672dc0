//! What is counted and timed of each call, and told in a snapshot.

use cache_runtime::{
    Breaker, Cache, Key, Mode, Policy, SiteSnapshot, Stats, cached, call_sites, global,
    invalidates, only_cached,
};
use futures_util::FutureExt;
use serde_json::Value;
use tokio::sync::oneshot;

use super::fresh;

const HOUR: Policy = Policy::new(std::time::Duration::from_secs(3600));

/// The part of the cached function with this template.
fn part_of(template: &str) -> SiteSnapshot {
    let sites = global().snapshot().call_sites;
    let mut found = sites
        .into_iter()
        .filter(|site| site.templates == [template] && site.effect == "cached");
    found.next().expect("a call site")
}

async fn load(cache: &Cache, key: &Key) -> String {
    let load = || async { Ok::<_, ()>("some text".to_owned()) };
    let loaded = cache.get_or_load(key, HOUR, load).await;
    loaded.expect("a text")
}

#[tokio::test]
async fn a_snapshot_tells_of_each_function() {
    #[cached(key = "stats:told:<id>", ttl = "90s")]
    async fn told(id: u64) -> Result<u64, String> {
        if id == 0 {
            Err("none".to_owned())
        } else {
            Ok(id)
        }
    }

    let id = fresh();
    for _ in 0..3 {
        assert_eq!(told(id).await, Ok(id));
    }
    assert!(told(0).await.is_err());
    let site = part_of("stats:told:<id>");
    assert!(site.function.ends_with("::told"), "{}", site.function);
    assert!(site.file.ends_with("stats.rs") && site.line > 0);
    assert_eq!(site.effect, "cached");
    assert_eq!(site.ttl.map(|ttl| ttl.as_secs()), Some(90));
    let Stats {
        hits,
        misses,
        loads,
        load_errors,
        fills,
        ..
    } = site.measured.stats;
    assert_eq!(
        (hits, misses, loads, load_errors, fills),
        (2, 2, 2, 1, 1),
        "of four calls"
    );
    let timed = site.measured.loads.count();
    assert_eq!(timed, 2, "a load that fails is timed as well");
    assert!(site.measured.time_saved().is_some());
}

#[tokio::test]
async fn a_snapshot_tells_of_a_cache_of_ones_own() {
    let cache = crate::apart();
    let key = Key::of("stats");
    for _ in 0..3 {
        load(&cache, &key).await;
    }
    let snapshot = cache.snapshot();
    assert_eq!(snapshot.total.stats, cache.stats());
    assert!(snapshot.call_sites.is_empty());
    assert_eq!(snapshot.mode, Mode::On);
    assert_eq!(snapshot.breaker, Breaker::Closed);
    assert_eq!(snapshot.undelivered, 0);
    let Stats {
        bytes_read,
        bytes_written,
        ..
    } = snapshot.total.stats;
    if crate::elsewhere().is_some() {
        assert!(bytes_written > 9, "the text, and what stands around it");
        assert_eq!(bytes_read, 2 * bytes_written, "it was read twice");
    } else {
        assert_eq!((bytes_read, bytes_written), (0, 0), "nothing is encoded");
    }
}

/// What one function does on two caches is told apart, and what is called directly is neither.
#[tokio::test]
async fn a_function_that_names_a_cache_has_its_part_in_that() {
    #[cached(key = "stats:named:<id>", ttl = "1h", cache = cache, skip(cache))]
    async fn named(cache: &Cache, id: u64) -> u64 {
        let _ = cache;
        id
    }
    #[invalidates("stats:named:<id>", cache = cache)]
    async fn change(cache: &Cache, id: u64) {
        let _ = (cache, id);
    }

    let [first, second, third] = [(); 3].map(|()| crate::apart());
    for (cache, calls) in [(&first, 3), (&second, 2), (&third, 0)] {
        for _ in 0..calls {
            assert_eq!(named(cache, 1).await, 1);
        }
    }
    assert!(third.snapshot().call_sites.is_empty());
    change(&second, 1).await;
    load(&second, &Key::of("stats")).await;
    for (cache, misses, hits, sites, direct) in [(&first, 1, 2, 1, 0), (&second, 1, 1, 2, 1)] {
        let snapshot = cache.snapshot();
        assert_eq!(snapshot.total.stats, cache.stats());
        assert_eq!(snapshot.total.stats.misses, misses + direct);
        assert_eq!(snapshot.call_sites.len(), sites, "{snapshot:#?}");
        let mut parts = snapshot.call_sites.iter();
        let part = parts.find(|site| site.effect == "cached").expect("it");
        assert!(part.function.ends_with("::named"), "{}", part.function);
        let stats = part.measured.stats;
        assert_eq!((stats.misses, stats.hits, stats.loads), (misses, hits, 1));
        assert_eq!(part.measured.loads.count(), 1);
        let parts = snapshot.call_sites.iter();
        let parts = parts.fold(Stats::default(), |sum, site| sum + site.measured.stats);
        let rest = snapshot.total.stats.since(&parts);
        assert_eq!((rest.calls(), rest.loads), (direct, direct));
    }
    let mut sites = call_sites();
    let site = sites.find(|site| site.templates() == ["stats:named:<id>"] && site.stats().hits > 0);
    let stats = site.expect("a call site").stats();
    assert_eq!((stats.misses, stats.hits), (2, 3), "on both");
    fresh();
    let of_global = part_of("stats:named:<id>").measured.stats;
    assert_eq!(of_global.calls(), 0, "which it does not name");

    // A handle of the global cache is that cache.
    let before = global().snapshot().total.stats;
    let id = fresh();
    named(global(), id).await;
    named(global(), id).await;
    let stats = part_of("stats:named:<id>").measured.stats;
    assert_eq!((stats.misses, stats.hits), (1, 1));
    assert!(global().stats().since(&before).calls() >= 2);
}

/// Nobody is told of it, and nothing else is counted.
#[tokio::test]
async fn a_call_that_is_dropped_is_counted() {
    #[cached(key = "stats:dropped:<id>", ttl = "1h", skip(go_on))]
    async fn dropped(id: u64, go_on: oneshot::Receiver<()>) -> u64 {
        let _ = go_on.await;
        id
    }

    let id = fresh();
    let (go_on, until) = oneshot::channel();
    let leader = tokio::spawn(dropped(id, until));
    cache_tests::eventually("it loads", async || {
        part_of("stats:dropped:<id>").measured.stats.loads == 1
    })
    .await;
    let (_never, until) = oneshot::channel();
    let follower = dropped(id, until).now_or_never();
    assert_eq!(follower, None, "it waits, and is dropped");
    let stats = part_of("stats:dropped:<id>").measured.stats;
    assert_eq!((stats.cancelled, stats.calls()), (1, 2));
    go_on.send(()).expect("the load waits");
    assert_eq!(leader.await.expect("a number"), id);
    let stats = part_of("stats:dropped:<id>").measured.stats;
    assert_eq!((stats.misses, stats.cancelled, stats.calls()), (1, 1, 2));
}

#[tokio::test]
async fn a_look_that_finds_nothing_is_counted() {
    let cache = crate::apart();
    let key = Key::of("stats");
    let found = cache.get::<String>(&key, HOUR).await;
    assert_eq!(found.expect("an answer"), None);
    load(&cache, &key).await;
    let found = cache.get::<String>(&key, HOUR).await;
    assert_eq!(found.expect("an answer").as_deref(), Some("some text"));
    let stats = cache.stats();
    assert_eq!((stats.unanswered, stats.misses, stats.hits), (1, 1, 1));
    assert_eq!(stats.calls(), 3);
}

/// Each hit in this process that is timed stands for 128, on the average.
#[tokio::test]
async fn hits_are_timed() {
    #[cached(key = "stats:timed:<id>", ttl = "1h")]
    async fn timed(id: u64) -> u64 {
        id
    }

    const HITS: u64 = 20_000;
    let id = fresh();
    timed(id).await;
    let hits = if crate::elsewhere().is_some() {
        HITS / 20
    } else {
        HITS
    };
    for _ in 0..hits {
        timed(id).await;
    }
    let measured = part_of("stats:timed:<id>").measured;
    assert_eq!(measured.stats.hits, hits);
    let counted = measured.hits.count();
    assert!(
        counted > hits / 2 && counted < hits * 2,
        "{counted} of {hits}"
    );
    let slowest = measured.hits.quantile(1.0).expect("some are timed");
    assert!(!slowest.is_zero() && measured.hits.quantile(0.5) <= Some(slowest));
}

/// What a snapshot is made of, without its numbers.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter();
            fields
                .map(|(name, value)| (name.clone(), shape(value)))
                .collect()
        }
        Value::Array(values) => values.iter().map(shape).collect(),
        Value::String(text) => Value::String(text.clone()),
        _ => Value::Null,
    }
}

#[tokio::test]
async fn ten_thousand_keys_add_no_label() {
    #[cached(key = "stats:many:<id>", ttl = "1h")]
    async fn many(id: u64) -> u64 {
        id
    }

    many(fresh()).await;
    let told = || serde_json::to_value(global().snapshot()).expect("it can be told");
    let before = told();
    for id in 0..10_000 {
        many(id + (1 << 32)).await;
    }
    let after = told();
    assert!(part_of("stats:many:<id>").measured.stats.misses > 10_000);
    assert_eq!(shape(&before), shape(&after));
    let text = after.to_string();
    assert!(!text.contains(&(1_u64 << 32).to_string()), "nor any key");
    for field in ["\"p99_seconds\"", "\"stale_hits\"", "\"mode\":\"on\""] {
        assert!(text.contains(field), "{field} in {text}");
    }
}

/// What was not there is told of as such, whether the cache is on or off.
#[tokio::test]
async fn a_call_that_only_looks_is_counted_while_the_cache_is_off() {
    let cache = crate::apart();
    cache.set_mode(Mode::Off).expect("switched");
    let key = Key::of("stats");
    assert_eq!(only_cached(load(&cache, &key)).await, None);
    assert_eq!((cache.stats().unanswered, cache.stats().calls()), (1, 1));
}
