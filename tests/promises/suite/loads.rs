//! Every run of a body that ends is timed, and counted as what it ended as; what does not run is no load.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use cache_runtime::test_util::TestClock;
use cache_runtime::{
    Cache, CacheConfig, Key, Measured, Policy, Stats, bypass, cached, global, invalidates,
    only_cached, refresh, transaction,
};
use cache_tests::{RedisServer, eventually};
use futures_util::FutureExt;
use futures_util::future::join;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Shareable, fresh};

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

/// `loads`, `loads_ok`, `load_errors`
fn loads(cache: &Cache) -> (u64, u64, u64) {
    let measured = cache.snapshot().total;
    let Stats {
        loads,
        loads_ok,
        load_errors,
        ..
    } = measured.stats;
    let ended = loads_ok + load_errors;
    assert_eq!(measured.loads.count(), ended, "those that ended are timed");
    (loads, loads_ok, load_errors)
}

/// A call whose body fails.
async fn fail(cache: &Cache) {
    let load = || async { Err::<u64, _>("as planned") };
    let loaded = cache.get_or_load(&Key::of("loads"), HOUR, load).await;
    assert_eq!(loaded, Err("as planned"));
}

async fn succeed(cache: &Cache) {
    let load = || async { Ok::<u64, ()>(1) };
    let loaded = cache.get_or_load(&Key::of("loads"), HOUR, load).await;
    assert_eq!(loaded, Ok(1));
}

#[invalidates("loads", fence, cache = cache)]
async fn mutate(cache: &Cache, body: impl Future<Output = ()>) {
    let _ = cache;
    body.await;
}

#[tokio::test]
async fn whatever_makes_the_body_run_it_ends_as_it_does() {
    let cache = crate::apart();
    let mut errors = 0;
    let mut one_more = |what: &str, counted: fn(&Stats) -> u64| {
        errors += 1;
        assert_eq!(loads(&cache), (errors, 0, errors), "{what}");
        assert!(counted(&cache.stats()) > 0, "{what}");
    };
    fail(&cache).await;
    one_more("a miss", |stats| stats.misses);
    bypass(fail(&cache)).await;
    one_more("a bypass", |stats| stats.bypasses_asked);
    transaction(fail(&cache)).await;
    one_more("in a transaction", |stats| stats.bypasses_transaction);
    transaction(refresh(fail(&cache))).await;
    one_more("a refresh in one", |stats| stats.bypasses_asked);
    refresh(fail(&cache)).await;
    one_more("a refresh of nothing", |stats| stats.misses);
    mutate(&cache, fail(&cache)).await;
    one_more("under a fence", |stats| stats.bypasses_fenced);
    Box::pin(mutate(&cache, refresh(fail(&cache)))).await;
    one_more("a refresh there", |stats| stats.bypasses_fenced);
    assert_eq!(only_cached(fail(&cache)).await, None);
    assert_eq!(loads(&cache).0, errors, "no body has run");

    bypass(succeed(&cache)).await;
    succeed(&cache).await;
    refresh(fail(&cache)).await;
    assert_eq!(cache.stats().refreshes, 1);
    assert_eq!(loads(&cache), (errors + 3, 2, errors + 1));
    let stats = cache.stats();
    assert_eq!(stats.calls(), errors + 4, "and each call once: {stats:?}");
    assert_eq!((stats.bypasses_asked, stats.cancelled), (3, 0));
}

#[tokio::test]
async fn so_it_does_after_a_wait_and_without_a_store() {
    let config = CacheConfig::embedded().wait(Duration::from_millis(20));
    let cache = Cache::new(config).expect("a cache");
    let key = Key::of("loads");
    let (go_on, until) = oneshot::channel::<()>();
    let load = || async {
        let _ = until.await;
        Err::<u64, _>("late")
    };
    let leading = cache.get_or_load(&key, HOUR, load);
    let following = async {
        fail(&cache).await;
        assert_eq!(loads(&cache), (2, 0, 1), "one still runs");
        go_on.send(()).expect("it waits");
    };
    assert_eq!(join(leading, following).await.0, Err("late"));
    assert_eq!(loads(&cache), (2, 0, 2));
    assert_eq!(cache.stats().bypasses_waited, 1);

    let cache = crate::apart();
    let load = || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Err::<u64, _>("late")
    };
    let leading = cache.get_or_load(&key, HOUR, load);
    assert_eq!(join(leading, fail(&cache)).await.0, Err("late"));
    assert_eq!(loads(&cache), (2, 0, 2));
    assert_eq!(cache.stats().bypasses_failed, 1);

    let nowhere = CacheConfig::redis("redis://127.0.0.1:1").expect("a URL");
    let cache = Cache::new(nowhere).expect("a cache");
    fail(&cache).await;
    refresh(fail(&cache)).await;
    assert_eq!(loads(&cache), (2, 0, 2));
    assert_eq!(cache.stats().bypasses_store, 2);
}

/// It is known to be running, or to have been dropped, by what it is not counted as.
#[tokio::test]
async fn what_is_dropped_has_begun_and_not_ended() {
    let cache = crate::apart();
    let key = &Key::of("loads");
    let load = || std::future::pending::<Result<u64, ()>>();
    let mut call = Box::pin(cache.get_or_load(key, HOUR, load));
    eventually("it loads", async || {
        assert!(call.as_mut().now_or_never().is_none());
        cache.stats().loads == 1
    })
    .await;
    drop(call);
    assert_eq!(loads(&cache), (1, 0, 0));
    assert_eq!((cache.stats().misses, cache.stats().cancelled), (1, 0));
}

/// A value is held in case a load fails, the right to replace it cannot be taken, and the load fails.
#[tokio::test]
async fn so_it_does_where_a_stale_value_is_returned_in_its_place() {
    type Source = Result<u64, &'static str>;
    #[cached(key = "loads:held:<id>", ttl = "1h", stale_if_error = "10m", cache = cache, skip(cache, source))]
    async fn held(cache: &Cache, id: u64, source: Source) -> Source {
        let _ = (cache, id);
        source
    }
    #[cached(
        key = "loads:limited:<id>",
        ttl = "1h",
        stale_if_error = "10m",
        timeout = "10s",
        cache = cache,
        skip(cache, source)
    )]
    async fn limited(cache: &Cache, id: u64, source: Source) -> Source {
        let _ = (cache, id);
        source
    }

    if crate::elsewhere().is_none() {
        return;
    }
    let server = RedisServer::start_with(&["--maxmemory-policy", "noeviction"]);
    let clock = TestClock::new();
    let config = CacheConfig::redis(&server.url()).expect("a URL");
    let config = config.store_budget(Duration::from_secs(20)).clock(&clock);
    let cache = Cache::new(config).expect("a cache");
    for filled in [
        held(&cache, 1, Ok(1)).await,
        limited(&cache, 1, Ok(1)).await,
    ] {
        assert_eq!(filled, Ok(1));
    }
    clock.advance(Duration::from_secs(3600));
    let _: () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(held(&cache, 1, Err("as planned")).await, Ok(1));
    assert_eq!(loads(&cache), (3, 2, 1));
    assert_eq!(limited(&cache, 1, Err("as planned")).await, Ok(1));
    assert_eq!(loads(&cache), (4, 2, 2));
    assert_eq!(limited(&cache, 1, Ok(2)).await, Ok(2));
    assert_eq!(loads(&cache), (5, 3, 2));
    let stats = cache.stats();
    assert_eq!((stats.stale_hits, stats.bypasses_store), (2, 1));
}

type All = Result<HashMap<u64, u64>, &'static str>;

#[cached(key = "loads:many:<id>", ttl = "1h", batch(id in ids), cache = cache, skip(cache, source))]
async fn many(cache: &Cache, ids: &[u64], source: impl Fn(&[u64]) -> All) -> All {
    let _ = cache;
    source(ids)
}

#[tokio::test]
async fn of_several_keys_each_is_a_load() {
    let failing = |_: &[u64]| Err("as planned");
    let loading = |ids: &[u64]| Ok(ids.iter().map(|id| (*id, *id)).collect());
    let cache = crate::apart();
    assert!(many(&cache, &[1, 2, 1], failing).await.is_err());
    assert_eq!(loads(&cache), (2, 0, 2));
    assert!(bypass(many(&cache, &[1, 2, 1], failing)).await.is_err());
    assert_eq!(loads(&cache), (4, 0, 4));
    assert_eq!(cache.stats().bypasses_asked, 2, "two keys, one twice");
    let found = bypass(many(&cache, &[1, 2, 1], loading)).await;
    assert_eq!(found, Ok([(1, 1), (2, 2)].into()));
    assert_eq!(loads(&cache), (6, 2, 4));
    assert_eq!(cache.stats().fills, 0);
    let none = bypass(many(&cache, &[], |_| panic!("nothing is asked for"))).await;
    assert_eq!(none, Ok(HashMap::new()));
}

#[cached(key = "loads:one:<id>", ttl = "1h", skip(body))]
async fn one(id: u64, body: impl AsyncFnOnce() -> Option<One>) -> One {
    body().await.unwrap_or(Err(Shareable("nothing")))
}

type One = Result<u64, Shareable>;
type Each = Result<HashMap<u64, u64>, Shareable>;

#[cached(key = "loads:one:<id>", ttl = "1h", batch(id in ids), skip(body))]
async fn each(ids: &[u64], body: impl AsyncFn(&[u64])) -> Each {
    body(ids).await;
    Ok(ids.iter().map(|id| (*id, *id)).collect())
}

/// What the function for one key and that for several have done.
fn of(function: &str) -> Measured {
    let sites = global().snapshot().call_sites;
    let mut sites = sites.into_iter();
    let site = sites.find(|site| {
        site.function
            .ends_with(&format!("suite::loads::{function}"))
    });
    site.expect("a call site").measured
}

/// A load of one key that runs until it is told what it ends with.
async fn leading(id: u64) -> (JoinHandle<One>, oneshot::Sender<One>) {
    let (begun, begins) = oneshot::channel();
    let (end, ends) = oneshot::channel();
    let body = async move || {
        begun.send(()).expect("awaited");
        ends.await.ok()
    };
    let leading = tokio::spawn(one(id, body));
    begins.await.expect("it runs");
    (leading, end)
}

/// 1. Others load `a` and `b`. A call for both waits for them.
/// 2. The load of `b` is given up: the call is to make it.
/// 3. That of `a` fails, and so does the call: there is no load of `b`.
async fn a_turn_that_never_comes_is_no_load(ids: [u64; 2]) {
    let (first, end) = leading(ids[0]).await;
    let (second, _end) = leading(ids[1]).await;
    let before = of("each");
    let call = async {
        let found = each(&ids, async |_| panic!("nothing is to be loaded")).await;
        assert_eq!(found, Err(Shareable("as planned")));
    };
    let meanwhile = async {
        end.send(Err(Shareable("as planned"))).expect("it waits");
        second.abort();
        assert!(second.await.is_err());
        assert!(first.await.expect("an end").is_err());
    };
    join(call, meanwhile).await;
    let stats = of("each").stats.since(&before.stats);
    assert_eq!((stats.loads, stats.misses), (0, 0), "{stats:?}");
    assert_eq!((stats.joins, stats.cancelled, stats.calls()), (1, 1, 2));
}

/// And a call for `a` and `b` runs its body for `a` while another loads `b`, which is given up meanwhile: the body runs once more, and
/// that load has not taken as long as the first. One test, because both look at what one function has done.
#[tokio::test]
async fn of_several_keys_what_does_not_run_is_no_load_and_what_runs_later_began_later() {
    const FIRST: Duration = Duration::from_millis(1500);
    let [a, b] = [(); 2].map(|()| fresh());
    let ids = [a, b];
    // Over a network, it could not be told when the call has begun to wait.
    if crate::elsewhere().is_none() {
        a_turn_that_never_comes_is_no_load(ids).await;
    }
    let before = of("each");
    let (leader, _end) = leading(b).await;
    let leader = Mutex::new(Some(leader));
    let body = async |ids: &[u64]| {
        if ids == [a] {
            let leader = leader.lock().expect("whole").take();
            leader.expect("the first run").abort();
            tokio::time::sleep(FIRST).await;
        }
    };
    assert_eq!(each(&ids, body).await, Ok([(a, a), (b, b)].into()));
    let loads = of("each").since(&before).loads;
    assert_eq!(loads.count(), 2);
    // Of the second, which takes nothing, the first is no part.
    assert!(
        loads.total() >= FIRST && loads.total() < 2 * FIRST,
        "{loads:?}"
    );
}

/// A call that stores nothing asks for nothing of what it would be stored with.
#[tokio::test]
async fn a_bypass_is_the_plain_call() {
    #[cached(key = "loads:plain:<id>", ttl = ttl(), skip(ttl))]
    async fn plain(id: u64, ttl: impl Fn() -> Duration) -> u64 {
        let _ = &ttl;
        id
    }
    #[cached(key = "loads:plain:<id>", ttl = ttl(), batch(id in ids), skip(ttl))]
    async fn all(ids: &[u64], ttl: impl Fn() -> Duration) -> HashMap<u64, u64> {
        let _ = &ttl;
        ids.iter().map(|id| (*id, *id)).collect()
    }

    let id = fresh();
    let never = || -> Duration { panic!("nothing is stored") };
    assert_eq!(bypass(plain(id, never)).await, id);
    assert_eq!(bypass(all(&[id], never)).await, [(id, id)].into());
}
