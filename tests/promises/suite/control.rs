//! Single calls that are to go another way: past the cache, over what is cached, or by what is cached alone.

use cache_runtime::{
    Cache, CacheConfig, Key, Mode, Policy, bypass, cached, call_sites, invalidates, only_cached,
    refresh,
};
use futures_util::future::{join_all, select};
use tokio::sync::oneshot;

use super::loading::{begin_load, begin_refresh};
use super::{Found, Runs, Shareable, User, change_user, find_user, fresh};

const HOUR: Policy = Policy::new(std::time::Duration::from_secs(3600));

/// A call whose source holds a user of this name.
async fn find(id: u64, name: &str) -> Found {
    find_user(id, async || Ok(Some(User::named(id, name)))).await
}

#[allow(clippy::unnecessary_wraps, reason = "it is what a call returns")]
fn named(id: u64, name: &str) -> Found {
    Ok(Some(User::named(id, name)))
}

/// The name that is cached.
async fn cached_name(id: u64) -> Option<String> {
    let found = find_user(id, async || Ok(None)).await;
    found.expect("an answer").map(|user| user.name)
}

/// The same as another process sees it.
async fn cached_name_elsewhere(id: u64) -> Option<String> {
    let Some(elsewhere) = crate::elsewhere() else {
        return cached_name(id).await;
    };
    let found = elsewhere.get::<User>(&user_key(id), HOUR).await;
    found.expect("an answer").map(|user| user.name)
}

fn user_key(id: u64) -> Key {
    Key::of("user").part(&id)
}

async fn with_cached(name: &str) -> u64 {
    let id = fresh();
    assert_eq!(find(id, name).await, named(id, name));
    id
}

#[tokio::test]
async fn a_bypass_neither_reads_nor_fills() {
    let id = with_cached("cached").await;
    assert_eq!(bypass(find(id, "source")).await, named(id, "source"));
    assert_eq!(cached_name(id).await.as_deref(), Some("cached"));
    let id = fresh();
    assert_eq!(bypass(find(id, "source")).await, named(id, "source"));
    assert_eq!(cached_name(id).await, None);
}

#[tokio::test]
async fn what_is_invalidated_within_a_control_is_invalidated() {
    let id = with_cached("old").await;
    bypass(change_user(id, async || {})).await;
    assert_eq!(cached_name_elsewhere(id).await, None);
    let id = with_cached("old").await;
    refresh(change_user(id, async || {})).await;
    assert_eq!(cached_name_elsewhere(id).await, None);
    let id = with_cached("old").await;
    let changed = only_cached(change_user(id, async || "done")).await;
    assert_eq!(changed, Some("done"), "its body is no load");
    assert_eq!(cached_name_elsewhere(id).await, None);
}

/// The body has committed, and then a read in it has no answer.
#[tokio::test]
async fn a_mutation_that_has_no_answer_half_way_invalidates() {
    let (id, other) = (with_cached("old").await, fresh());
    let body = async || find(other, "not cached").await;
    assert_eq!(only_cached(change_user(id, body)).await, None);
    assert_eq!(cached_name(id).await, None);
}

#[tokio::test]
async fn a_refresh_replaces_what_everyone_reads() {
    let id = with_cached("old").await;
    assert_eq!(refresh(find(id, "new")).await, named(id, "new"));
    assert_eq!(cached_name(id).await.as_deref(), Some("new"));
    assert_eq!(cached_name_elsewhere(id).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_refresh_of_an_empty_key_fills_it() {
    let id = fresh();
    assert_eq!(refresh(find(id, "new")).await, named(id, "new"));
    assert_eq!(cached_name_elsewhere(id).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_refresh_replaces_what_it_cannot_read() {
    #[cached(key = "user:<id>", ttl = "1h", version = 2)]
    async fn newer(id: u64) -> u64 {
        id
    }
    let id = with_cached("of another version").await;
    assert_eq!(refresh(newer(id)).await, id);
    assert_eq!(only_cached(newer(id)).await, Some(id));
}

#[tokio::test]
async fn a_refresh_that_fails_leaves_the_older_value() {
    let id = with_cached("old").await;
    let failed = refresh(find_user(id, async || Err(Shareable("as planned")))).await;
    assert_eq!(failed, Err(Shareable("as planned")));
    assert_eq!(cached_name(id).await.as_deref(), Some("old"));
}

/// What the source does not have any more must not be served on.
#[tokio::test]
async fn a_refresh_that_brings_nothing_to_store_drops_the_older_value() {
    let id = with_cached("old").await;
    assert_eq!(refresh(find_user(id, async || Ok(None))).await, Ok(None));
    assert_eq!(cached_name_elsewhere(id).await, None);
}

/// 1. A refresh reads the cached value, and loads.
/// 2. A mutation commits, and its invalidation completes.
/// 3. The load ends. It may have read the source before the commit: its value must not be stored.
#[tokio::test]
async fn a_refresh_that_an_invalidation_overtook_is_not_stored() {
    let id = with_cached("cached").await;
    let (load, go_on) = begin_refresh(id, "old").await;
    change_user(id, async || {}).await;
    go_on.send(()).expect("the load waits");
    assert_eq!(load.await.expect("a result"), named(id, "old"));
    assert_eq!(find(id, "new").await, named(id, "new"));

    // Likewise where a reader has filled the slot anew meanwhile.
    let (load, go_on) = begin_refresh(id, "old").await;
    change_user(id, async || {}).await;
    assert_eq!(find(id, "newer").await, named(id, "newer"));
    go_on.send(()).expect("the load waits");
    assert_eq!(load.await.expect("a result"), named(id, "old"));
    assert_ne!(cached_name(id).await.as_deref(), Some("old"));
}

/// Whoever reads while a refresh loads is answered with what it will replace.
#[tokio::test]
async fn nobody_waits_for_a_refresh() {
    let id = with_cached("old").await;
    let (load, go_on) = begin_refresh(id, "new").await;
    assert_eq!(cached_name(id).await.as_deref(), Some("old"));
    go_on.send(()).expect("the load waits");
    assert_eq!(load.await.expect("a result"), named(id, "new"));
    assert_eq!(cached_name(id).await.as_deref(), Some("new"));
}

/// 1. A load begins, and reads the old value.
/// 2. The source changes, where no mutation sees it.
/// 3. A refresh begins. To wait for the load would be to return the old value, and to let it fill would be to serve it on.
#[tokio::test]
async fn a_refresh_does_not_wait_for_an_older_load_and_outlasts_it() {
    let id = fresh();
    let (load, go_on) = begin_load(id, "old").await;
    assert_eq!(refresh(find(id, "new")).await, named(id, "new"));
    go_on.send(()).expect("the load waits");
    assert_eq!(load.await.expect("a result"), named(id, "old"));
    assert_eq!(cached_name_elsewhere(id).await.as_deref(), Some("new"));
}

/// Of two refreshes it is not known which has read the source later.
#[tokio::test]
async fn a_refresh_does_not_leave_the_value_of_an_older_one() {
    let id = with_cached("oldest").await;
    let (older, older_goes_on) = begin_refresh(id, "older").await;
    let (newer, newer_goes_on) = begin_refresh(id, "newer").await;
    older_goes_on.send(()).expect("the load waits");
    assert_eq!(older.await.expect("a result"), named(id, "older"));
    newer_goes_on.send(()).expect("the load waits");
    assert_eq!(newer.await.expect("a result"), named(id, "newer"));
    assert_ne!(cached_name(id).await.as_deref(), Some("older"));
}

#[tokio::test]
async fn only_what_is_cached_is_answered() {
    let (cached, absent, runs) = (with_cached("cached").await, fresh(), Runs::default());
    let load = async || {
        runs.note();
        Err(Shareable("it ran"))
    };
    let found = only_cached(find_user(cached, load)).await;
    assert_eq!(found, Some(named(cached, "cached")));
    assert_eq!(only_cached(find_user(absent, load)).await, None);
    assert_eq!(runs.count(), 0);
}

/// Neither in this process nor in another.
#[tokio::test]
async fn only_cached_waits_for_nobody() {
    let id = fresh();
    let (load, go_on) = begin_load(id, "loaded").await;
    assert_eq!(only_cached(find(id, "own")).await, None);
    go_on.send(()).expect("the load waits");
    assert_eq!(load.await.expect("a result"), named(id, "loaded"));
    let found = only_cached(find(id, "own")).await;
    assert_eq!(found, Some(named(id, "loaded")));

    let Some(elsewhere) = crate::elsewhere() else {
        return;
    };
    let (id, (started, wait_for_start)) = (fresh(), oneshot::channel());
    let loading = tokio::spawn(async move {
        let load = async move || {
            let _ = started.send(());
            std::future::pending::<Result<User, ()>>().await
        };
        elsewhere.get_or_load(&user_key(id), HOUR, load).await
    });
    wait_for_start.await.expect("the load has begun");
    assert_eq!(only_cached(find(id, "own")).await, None);
    assert_eq!(refresh(find(id, "new")).await, named(id, "new"));
    assert_eq!(only_cached(find(id, "own")).await, Some(named(id, "new")));
    loading.abort();
}

#[tokio::test]
async fn only_cached_finds_nothing_under_a_fence() {
    #[invalidates("user:<id>", fence)]
    async fn fenced<R>(id: u64, body: impl AsyncFnOnce() -> R) -> R {
        body().await
    }
    let id = with_cached("old").await;
    let within = async || {
        let only = only_cached(find(id, "own")).await;
        (only, refresh(find(id, "source")).await)
    };
    let found = fenced(id, within).await;
    assert_eq!(found, (None, named(id, "source")));
    assert_eq!(cached_name(id).await, None, "nothing was filled");
}

/// Also where the others are done, and whichever is polled first.
#[tokio::test]
async fn one_branch_without_an_answer_is_enough() {
    let (a, b, absent) = (
        with_cached("a").await,
        with_cached("b").await,
        [fresh(), fresh()],
    );
    let all = only_cached(join_all([find(a, "own"), find(b, "own")])).await;
    assert_eq!(all, Some(vec![named(a, "a"), named(b, "b")]));
    for ids in [[a, absent[0]], [absent[0], a], absent] {
        let all = join_all(ids.map(|id| find(id, "own")));
        assert_eq!(only_cached(all).await, None);
        let (one, other) = (Box::pin(find(ids[0], "own")), Box::pin(find(ids[1], "own")));
        let first = only_cached(select(one, other)).await;
        // A hit that needs no waiting is done before the other branch begins.
        assert!(first.is_none() || ids[0] == a || ids[1] == a);
    }
}

#[tokio::test]
async fn the_innermost_control_holds() {
    let id = with_cached("old").await;
    let found = only_cached(bypass(find(id, "source"))).await;
    assert_eq!(found, Some(named(id, "source")));
    let found = bypass(refresh(find(id, "new"))).await;
    assert_eq!(found, named(id, "new"));
    let found = refresh(only_cached(find(id, "source"))).await;
    assert_eq!(found, Some(named(id, "new")));
    let after = bypass(async {
        let _ = only_cached(find(fresh(), "own")).await;
        find(id, "source").await
    });
    assert_eq!(after.await, named(id, "source"), "and then the outer one");
    assert_eq!(find(id, "own").await, named(id, "new"), "and then none");
}

/// A body may make cached calls of its own.
#[tokio::test]
async fn a_control_holds_in_the_bodies_of_calls() {
    let (outer, inner) = (with_cached("outer").await, with_cached("inner").await);
    let call = find_user(outer, async || find(inner, "new").await);
    assert_eq!(refresh(call).await, named(inner, "new"));
    assert_eq!(cached_name(inner).await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_task_that_is_spawned_inside_inherits_nothing() {
    let id = with_cached("cached").await;
    let spawned = async || tokio::spawn(async move { find(id, "own").await }).await;
    let found = [
        bypass(spawned()).await.expect("a result"),
        refresh(spawned()).await.expect("a result"),
    ];
    assert_eq!(found, [named(id, "cached"), named(id, "cached")]);
    let absent = fresh();
    let spawned = async || tokio::spawn(async move { find(absent, "own").await }).await;
    let found = only_cached(spawned()).await.expect("not of this scope");
    assert_eq!(found.expect("a result"), named(absent, "own"));
}

/// The switch is that of all annotations, so this is a cache of its own.
#[tokio::test]
async fn while_the_cache_is_off_nothing_is_cached() {
    let own = || Cache::new(CacheConfig::embedded()).expect("a cache");
    let cache = crate::elsewhere().unwrap_or_else(own);
    let (key, runs) = (user_key(fresh()), Runs::default());
    let call = || {
        let load = async || {
            runs.note();
            Ok::<_, ()>(7)
        };
        cache.get_or_load(&key, HOUR, load)
    };
    assert_eq!(call().await, Ok(7));
    assert_eq!(only_cached(call()).await, Some(Ok(7)));
    for mode in [Mode::Off, Mode::Detached] {
        cache.set_mode(mode).expect("switched");
        let runs_before = runs.count();
        assert_eq!(only_cached(call()).await, None);
        assert_eq!(runs.count(), runs_before);
        assert_eq!(bypass(call()).await, Ok(7));
        assert_eq!(refresh(call()).await, Ok(7));
        assert_eq!(runs.count(), runs_before + 2);
    }
}

#[tokio::test]
async fn each_call_is_counted_once() {
    #[cached(key = "control:counted:<id>", ttl = "1h")]
    async fn counted(id: u64) -> u64 {
        id
    }
    let stats = || {
        let mut sites = call_sites();
        let site = sites.find(|site| site.function().ends_with("::counted"));
        site.expect("it is listed").stats()
    };
    let id = fresh();
    bypass(counted(id)).await;
    assert_eq!((stats().bypasses_asked, stats().calls()), (1, 1));
    assert_eq!(only_cached(counted(id)).await, None);
    assert_eq!((stats().unanswered, stats().calls()), (1, 2));
    refresh(counted(id)).await;
    assert_eq!((stats().misses, stats().calls()), (1, 3));
    refresh(counted(id)).await;
    assert_eq!((stats().refreshes, stats().calls()), (1, 4));
    assert_eq!(only_cached(counted(id)).await, Some(id));
    assert_eq!((stats().hits, stats().calls()), (1, 5));
    assert_eq!((stats().loads, stats().fills), (3, 2));
}

/// What is refreshed has its tags, and is stored as the annotation says.
#[tokio::test]
async fn the_options_of_an_annotation_hold_in_a_refresh() {
    #[cached(key = "control:options:<id>", ttl = "1h", when = |n| *n != 13, tags = ["control:<id>"], skip(value))]
    async fn find(id: u64, value: u64) -> u64 {
        let _ = id;
        value
    }
    #[invalidates(tag = "control:<id>")]
    async fn change(id: u64) {
        let _ = id;
    }
    let id = fresh();
    assert_eq!(find(id, 1).await, 1);
    assert_eq!(refresh(find(id, 2)).await, 2);
    assert_eq!(find(id, 3).await, 2, "it was stored");
    change(id).await;
    assert_eq!(only_cached(find(id, 3)).await, None, "with its tag");
    assert_eq!(refresh(find(id, 4)).await, 4);
    assert_eq!(only_cached(find(id, 5)).await, Some(4));
    assert_eq!(refresh(find(id, 13)).await, 13);
    assert_eq!(
        only_cached(find(id, 5)).await,
        None,
        "not to be stored, and the older one is gone"
    );
}

#[tokio::test]
async fn controls_hold_on_a_cache_of_ones_own() {
    #[cached(key = "control:own:<id>", ttl = "1h", cache = cache, skip(cache, value))]
    async fn find(cache: &Cache, id: u64, value: u64) -> u64 {
        let _ = id;
        value
    }
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let id = fresh();
    assert_eq!(only_cached(find(&cache, id, 1)).await, None);
    assert_eq!(find(&cache, id, 1).await, 1);
    assert_eq!(bypass(find(&cache, id, 2)).await, 2);
    assert_eq!(only_cached(find(&cache, id, 3)).await, Some(1));
    assert_eq!(refresh(find(&cache, id, 4)).await, 4);
    assert_eq!(find(&cache, id, 5).await, 4);
    let stats = cache.stats();
    assert_eq!(
        (stats.bypasses_asked, stats.refreshes, stats.unanswered),
        (1, 1, 1)
    );
}
