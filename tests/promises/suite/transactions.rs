//! Transactions: what is invalidated within one takes effect in its end, however it ends, and what is loaded within one is kept by
//! nobody.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use cache_runtime::test_util::TestClock;
use cache_runtime::{
    Cache, InvalidationError, Key, Mode, Policy, Stats, bypass, cached, global, invalidates,
    only_cached, refresh, transaction, try_transaction, write_through,
};
use cache_tests::{cut, eventually, halted};
use futures_util::FutureExt as _;
use futures_util::future::{join, join_all, select};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Found, Runs, Unique, User, change_user, find_user, fresh};

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

/// Runs where no transaction is around, as another request does.
async fn outside<R: Send + 'static>(future: impl Future<Output = R> + Send + 'static) -> R {
    tokio::spawn(future).await.expect("no panic")
}

/// The name that is cached: `None` is not stored.
async fn cached_name(id: u64) -> Option<String> {
    let found = find_user(id, async || Ok(None)).await;
    found.expect("an answer").map(|user| user.name)
}

/// The same as other requests see it, in this process and in another.
async fn name_outside(id: u64) -> Option<String> {
    let here = outside(cached_name(id)).await;
    if let Some(elsewhere) = crate::elsewhere() {
        let found = elsewhere.get::<User>(&user_key(id), HOUR).await;
        assert_eq!(found.expect("an answer").map(|user| user.name), here);
    }
    here
}

fn user_key(id: u64) -> Key {
    Key::of("user").part(&id)
}

async fn find(id: u64, name: &str) -> String {
    let found = find_user(id, async || Ok(Some(User::named(id, name)))).await;
    found.expect("an answer").expect("a user").name
}

async fn with_cached(name: &str) -> u64 {
    let id = fresh();
    assert_eq!(find(id, name).await, name);
    id
}

/// The next value that is loaded is stored: no fence, and no lease, is in the way.
async fn is_free(id: u64) -> bool {
    find(id, "probe").await;
    cached_name(id).await.is_some()
}

#[invalidates("user:<id>", fence)]
async fn change_fenced<R>(
    id: u64,
    body: impl AsyncFnOnce() -> Result<R, Unique>,
) -> Result<R, Unique> {
    body().await
}

async fn ok() -> Result<(), Unique> {
    Ok(())
}

#[tokio::test]
async fn what_is_invalidated_within_is_delivered_in_the_end_and_not_before() {
    let ids = join_all([with_cached("old"), with_cached("old")]).await;
    transaction(async {
        for id in &ids {
            change_user(*id, async || {}).await;
        }
        for id in &ids {
            assert_eq!(name_outside(*id).await.as_deref(), Some("old"), "not yet");
        }
    })
    .await;
    for id in ids {
        assert_eq!(name_outside(id).await, None);
        assert!(is_free(id).await);
    }
}

/// The race that holding back is for.
///
/// 1. T changes a row, and does not commit yet.
/// 2. R reads: what it finds in the cache, or loads, is the old row.
/// 3. T commits, and ends.
#[tokio::test]
async fn what_others_load_before_the_commit_does_not_outlive_it() {
    let id = fresh();
    transaction(async {
        change_user(id, async || {}).await;
        assert_eq!(outside(async move { find(id, "old").await }).await, "old");
        assert_eq!(
            name_outside(id).await.as_deref(),
            Some("old"),
            "it is stored"
        );
        // COMMIT.
    })
    .await;
    assert_eq!(name_outside(id).await, None);
}

/// The same with a load that ends after the transaction.
#[tokio::test]
async fn a_load_that_began_before_the_end_is_not_stored_after_it() {
    let id = fresh();
    let load = transaction(async {
        change_user(id, async || {}).await;
        super::loading::begin_load(id, "old").await
    });
    let (load, go_on) = load.await;
    go_on.send(()).expect("it waits");
    load.await.expect("no panic").expect("loaded");
    assert_eq!(name_outside(id).await, None);
}

#[tokio::test]
async fn it_is_delivered_after_an_error() {
    let id = with_cached("old").await;
    let failed: Result<(), _> = transaction(async {
        change_user(id, async || {}).await;
        Err(Unique("rolled back"))
    })
    .await;
    assert_eq!(failed, Err(Unique("rolled back")));
    assert_eq!(name_outside(id).await, None);
}

/// Whether an invalidation is on its way which the store has not taken: the embedded store always takes it.
async fn is_delivered(id: u64) {
    assert_eq!(cached_name(id).await, None, "at once in this process");
    eventually("the invalidation is delivered", async || {
        let Some(elsewhere) = crate::elsewhere() else {
            return true;
        };
        let found = elsewhere.get::<User>(&user_key(id), HOUR).await;
        found.expect("an answer").is_none()
    })
    .await;
}

#[tokio::test]
async fn it_is_delivered_when_it_is_dropped() {
    let id = with_cached("old").await;
    let dropped = transaction(async {
        change_user(id, async || {}).await;
        std::future::pending::<()>().await;
    });
    // Once for the mutation at most, which waits for nothing, and once for good.
    assert_eq!(cut(dropped, 1).await, None);
    is_delivered(id).await;
}

#[tokio::test]
async fn it_is_delivered_when_it_panics() {
    let id = with_cached("old").await;
    let panicking = transaction(async {
        change_user(id, async || {}).await;
        yield_now().await;
        panic!("as planned");
    });
    let panicked: Result<(), _> = AssertUnwindSafe(panicking).catch_unwind().await;
    assert!(panicked.is_err());
    is_delivered(id).await;
}

#[tokio::test]
async fn a_mutation_that_is_cut_off_within_is_delivered_in_the_end() {
    let id = with_cached("old").await;
    transaction(async {
        let mutation = change_user(id, async || std::future::pending::<()>().await);
        assert_eq!(cut(mutation, 1).await, None);
        assert_eq!(name_outside(id).await.as_deref(), Some("old"), "not yet");
    })
    .await;
    assert_eq!(name_outside(id).await, None);
}

/// One branch mutates, the other reads while it does.
#[tokio::test]
async fn two_branches_are_one_transaction() {
    let (a, b) = (with_cached("old").await, with_cached("old").await);
    transaction(async {
        let slow = change_user(a, async || yield_now().await);
        let other = async {
            change_user(b, async || {}).await;
            assert_eq!(find(a, "own").await, "own", "while its mutation runs");
        };
        join(slow, other).await;
        for id in [a, b] {
            assert_eq!(name_outside(id).await.as_deref(), Some("old"));
        }
    })
    .await;
    for id in [a, b] {
        assert_eq!(name_outside(id).await, None);
    }
}

#[tokio::test]
async fn what_it_has_mutated_is_read_past_the_cache_and_not_stored() {
    let id = with_cached("old").await;
    transaction(async {
        assert_eq!(find(id, "unused").await, "old", "before it, a hit");
        change_user(id, async || {}).await;
        for own in ["own", "own, later"] {
            assert_eq!(find(id, own).await, own);
        }
        assert_eq!(only_cached(find(id, "unused")).await, None);
        assert_eq!(
            global().get::<User>(&user_key(id), HOUR).await.ok(),
            Some(None)
        );
        assert_eq!(name_outside(id).await.as_deref(), Some("old"));
    })
    .await;
    assert_eq!(name_outside(id).await, None);
    assert!(is_free(id).await);
}

/// A page of a team, which has both as tags.
#[cached(key = "transaction:<team>:<page>", ttl = "1h", tags = ["transaction:<team>"], skip(value))]
async fn page(team: u64, page: u64, value: u64) -> u64 {
    value
}

#[invalidates("transaction:<team>:*")]
async fn change_pages(team: u64) {}

#[invalidates(tag = "transaction:<team>")]
async fn change_team(team: u64) {}

#[tokio::test]
async fn patterns_and_tags_are_held_back_as_keys_are() {
    for by_tag in [false, true] {
        let (team, other) = (fresh(), fresh());
        for team in [team, other] {
            for number in [1, 2] {
                page(team, number, 10).await;
            }
        }
        transaction(async {
            if by_tag {
                change_team(team).await;
            } else {
                change_pages(team).await;
            }
            for value in [20, 21] {
                assert_eq!(page(team, 1, value).await, value, "own");
            }
            assert_eq!(page(other, 1, 30).await, 10, "another's");
            assert_eq!(outside(page(team, 2, 40)).await, 10, "not yet");
        })
        .await;
        for number in [1, 2] {
            assert_eq!(page(team, number, 50).await, 50);
            assert_eq!(page(team, number, 51).await, 50, "and it is stored");
        }
        assert_eq!(page(other, 1, 60).await, 10);
    }
}

/// The same users, several in one call. Those that are loaded have this name.
#[cached(batch, key = "user:<id>", ttl = "1h", skip(name))]
async fn find_users(ids: &[u64], name: &str) -> HashMap<u64, User> {
    let users = ids.iter().map(|id| (*id, User::named(*id, name)));
    users.collect()
}

/// Several pages of one team.
#[cached(batch, key = "transaction:<team>:<number>", ttl = "1h", tags = ["transaction:<team>"], skip(value))]
async fn pages(team: u64, numbers: &[u64], value: u64) -> HashMap<u64, u64> {
    numbers.iter().map(|number| (*number, value)).collect()
}

#[invalidates("user:<ids>")]
async fn change_users(ids: &[u64]) {}

#[tokio::test]
async fn what_it_reads_of_several_keys_is_answered_as_each_would_be() {
    let (hit, mutated, empty) = (with_cached("old").await, with_cached("old").await, fresh());
    let ids = [hit, mutated, empty];
    let names = async |name| {
        let users = find_users(&ids, name).await;
        ids.map(|id| users[&id].name.clone())
    };
    transaction(async {
        change_users(&[mutated]).await;
        for _ in 0..2 {
            assert_eq!(names("own").await, ["old", "own", "own"]);
        }
        assert_eq!(only_cached(names("unused")).await, None);
        assert!(only_cached(find_users(&[hit], "unused")).await.is_some());
        assert_eq!(
            name_outside(mutated).await.as_deref(),
            Some("old"),
            "not yet"
        );
        assert_eq!(name_outside(empty).await, None, "not stored");
        assert_eq!(refresh(names("refreshed")).await, ["refreshed"; 3]);
        assert_eq!(name_outside(hit).await.as_deref(), Some("old"), "not yet");
        assert_eq!(bypass(names("bypassed")).await, ["bypassed"; 3]);
    })
    .await;
    for id in ids {
        assert_eq!(name_outside(id).await, None);
        assert!(is_free(id).await);
    }

    let team = fresh();
    assert_eq!(pages(team, &[1, 2], 10).await[&1], 10);
    transaction(async {
        assert_eq!(
            pages(team, &[1, 3], 20).await,
            HashMap::from([(1, 10), (3, 20)])
        );
        change_team(team).await;
        assert_eq!(
            pages(team, &[1, 2], 30).await,
            HashMap::from([(1, 30), (2, 30)])
        );
        assert_eq!(outside(page(team, 3, 40)).await, 40, "not stored");
    })
    .await;
    assert_eq!(
        pages(team, &[1, 2, 3], 50).await.into_values().min(),
        Some(50)
    );
}

/// A load of several keys that waits for another would wait for the rows that are locked here.
#[tokio::test]
async fn a_load_of_one_of_several_keys_is_not_waited_for() {
    let (loading, other) = (fresh(), fresh());
    let (load, go_on) = super::loading::begin_load(loading, "other").await;
    let users = transaction(find_users(&[loading, other], "own")).await;
    assert_eq!(users[&loading].name, "own");
    go_on.send(()).expect("it waits");
    load.await.expect("no panic").expect("loaded");
    assert_eq!(cached_name(loading).await.as_deref(), Some("other"));
}

/// The race that makes loads within a transaction store nothing.
///
/// 1. T begins. Its snapshot holds the old row.
/// 2. W changes the row, and its invalidation completes.
/// 3. T reads the row, for the first time.
#[tokio::test]
async fn what_is_loaded_from_an_old_snapshot_is_not_stored() {
    let id = with_cached("old").await;
    transaction(async {
        outside(change_user(id, async || {})).await;
        assert_eq!(find(id, "old").await, "old");
        assert_eq!(name_outside(id).await, None);
        let key = user_key(id);
        let direct =
            global().get_or_load(&key, HOUR, async || Ok::<_, Unique>(User::named(id, "old")));
        assert_eq!(direct.await.map(|user| user.name).as_deref(), Ok("old"));
        assert_eq!(name_outside(id).await, None);
        let warmed = global()
            .warm(
                [user_key(id)],
                HOUR,
                async |_| Ok::<_, Unique>(User::named(id, "old")),
                |_| {},
            )
            .await;
        assert!(warmed.is_empty());
        assert_eq!(name_outside(id).await, None);
    })
    .await;
    assert_eq!(name_outside(id).await, None);
}

/// A load that waits for a row which the transaction has locked must not be waited for by it.
#[tokio::test]
async fn a_load_of_another_is_not_waited_for() {
    let id = fresh();
    let (load, go_on) = super::loading::begin_load(id, "other").await;
    assert_eq!(transaction(async { find(id, "own").await }).await, "own");
    go_on.send(()).expect("it waits");
    load.await.expect("no panic").expect("loaded");
    assert_eq!(cached_name(id).await.as_deref(), Some("other"));
}

#[tokio::test]
async fn nobody_waits_for_a_load_within() {
    let id = fresh();
    let (begun, has_begun) = oneshot::channel();
    let (go_on, goes_on) = oneshot::channel();
    let within = transaction(find_user(id, async move || {
        let _ = begun.send(());
        let _ = goes_on.await;
        Ok(None)
    }));
    let other = async {
        has_begun.await.expect("it has begun");
        assert_eq!(outside(async move { find(id, "new").await }).await, "new");
        go_on.send(()).expect("it waits");
    };
    let (own, ()) = join(within, other).await;
    assert_eq!(own, Ok(None));
    assert_eq!(
        name_outside(id).await.as_deref(),
        Some("new"),
        "and it was stored"
    );
}

#[tokio::test]
async fn controls_hold_within_and_a_refresh_stores_nothing() {
    let (a, b) = (with_cached("old").await, with_cached("old").await);
    transaction(async {
        assert_eq!(bypass(find(a, "own")).await, "own");
        assert_eq!(only_cached(find(a, "unused")).await.as_deref(), Some("old"));
        assert_eq!(refresh(find(b, "own")).await, "own");
        assert_eq!(name_outside(b).await.as_deref(), Some("old"), "not yet");
    })
    .await;
    assert_eq!(name_outside(a).await.as_deref(), Some("old"));
    assert_eq!(name_outside(b).await, None, "as if it had been invalidated");

    let id = fresh();
    refresh(transaction(find(id, "own"))).await;
    bypass(transaction(find(id, "own"))).await;
    assert_eq!(name_outside(id).await, None);
    // Dropped for want of an answer, and delivered.
    let id = with_cached("old").await;
    let unanswered = only_cached(transaction(async {
        change_user(id, async || {}).await;
        find(id, "own").await
    }));
    assert_eq!(unanswered.await, None);
    is_delivered(id).await;
}

#[tokio::test]
async fn a_fence_stands_until_the_end() {
    let id = with_cached("old").await;
    transaction(async {
        change_fenced(id, async || Ok(())).await.expect("changed");
        for current in ["1", "2"] {
            let read = outside(async move { find(id, current).await }).await;
            assert_eq!(read, current, "past the cache, and not stored");
        }
        // Once more: it is the same fence.
        change_fenced(id, async || Ok(())).await.expect("changed");
    })
    .await;
    assert!(is_free(id).await, "it is lowered");
}

#[tokio::test]
async fn a_fence_is_left_to_expire_where_the_end_is_in_doubt() {
    // A mutation within that fails.
    let id = fresh();
    transaction(async {
        let failed = change_fenced(id, async || Err::<(), _>(Unique("as planned"))).await;
        failed.expect_err("it fails");
        change_fenced(id, ok)
            .await
            .expect("another of the same key");
    })
    .await;
    assert!(!is_free(id).await);

    // One that is cut off.
    let id = fresh();
    transaction(async {
        let (begun, has_begun) = oneshot::channel();
        let mutation = Box::pin(change_fenced(id, async move || {
            let _ = begun.send(());
            std::future::pending::<Result<(), _>>().await
        }));
        select(mutation, has_begun).await;
    })
    .await;
    assert!(!is_free(id).await);

    // The scope is dropped, or panics.
    for panics in [false, true] {
        let id = fresh();
        let (fenced, is_fenced) = oneshot::channel();
        let scope = tokio::spawn(transaction(async move {
            change_fenced(id, ok).await.expect("changed");
            fenced.send(()).expect("somebody waits");
            assert!(!panics, "as planned");
            std::future::pending::<()>().await;
        }));
        is_fenced.await.expect("fenced");
        if !panics {
            scope.abort();
        }
        scope.await.expect_err("it has not ended");
        assert!(!is_free(id).await, "panics: {panics}");
    }

    // It says so.
    let id = fresh();
    let failed = try_transaction(async {
        change_fenced(id, ok).await.expect("changed");
        Err::<(), _>("the connection broke within COMMIT")
    });
    failed.await.expect_err("it fails");
    assert!(!is_free(id).await);
    let id = fresh();
    try_transaction(change_fenced(id, ok))
        .await
        .expect("it succeeds");
    assert!(is_free(id).await);
}

#[write_through(key = "user:<id>", ttl = "1h")]
async fn write_user(id: u64, name: &str) -> Found {
    Ok(Some(User::named(id, name)))
}

#[tokio::test]
async fn what_is_written_through_within_is_not_stored() {
    let id = with_cached("old").await;
    let rolled_back: Result<(), _> = transaction(async {
        write_user(id, "uncommitted").await.expect("written");
        assert_eq!(find(id, "own").await, "own");
        assert_eq!(name_outside(id).await, None, "a fence stands");
        Err(())
    })
    .await;
    rolled_back.expect_err("rolled back");
    assert_eq!(name_outside(id).await, None);
    assert!(is_free(id).await);

    let id = with_cached("old").await;
    let stored = transaction(async {
        let stored = global()
            .put(&user_key(id), User::named(id, "uncommitted"), HOUR)
            .await;
        assert_eq!(name_outside(id).await.as_deref(), Some("old"), "not yet");
        stored
    });
    assert_eq!(stored.await.ok(), Some(false));
    assert_eq!(name_outside(id).await, None);
    assert!(is_free(id).await);
}

#[tokio::test]
async fn one_within_another_is_a_part_of_it() {
    let (a, b, c) = (with_cached("old").await, with_cached("old").await, fresh());
    transaction(async {
        change_user(a, async || {}).await;
        transaction(async {
            assert_eq!(find(a, "own").await, "own");
            change_user(b, async || {}).await;
            change_fenced(c, ok).await.expect("changed");
        })
        .await;
        assert_eq!(find(b, "own").await, "own");
        // A savepoint that is rolled back, and one that is dropped.
        let _ = try_transaction(change_fenced(c, async || Err::<(), _>(Unique("savepoint")))).await;
        assert_eq!(cut(transaction(yield_now()), 1).await, None);
        for id in [a, b] {
            assert_eq!(name_outside(id).await.as_deref(), Some("old"), "not yet");
        }
    })
    .await;
    for id in [a, b] {
        assert_eq!(name_outside(id).await, None);
    }
    assert!(!is_free(c).await, "in doubt");
}

/// A future that is not to be awaited where it is.
struct Carried<F>(F);

/// One that is begun within another and carried out of it: the commit that it waits for may come after the other's end.
#[tokio::test]
async fn one_that_is_carried_out_of_another_delivers_for_itself() {
    let id = with_cached("old").await;
    let (commit, committed) = oneshot::channel();
    let inner = transaction(async move {
        let inner = Box::pin(transaction(async move {
            change_user(id, async || {}).await;
            let _ = committed.await;
        }));
        Carried(halted(inner, 1).await.expect_err("it waits"))
    });
    let Carried(inner) = inner.await;
    assert_eq!(name_outside(id).await, None, "the outer has ended");
    assert_eq!(find(id, "old").await, "old");
    commit.send(()).expect("it waits");
    inner.await;
    assert_eq!(name_outside(id).await, None);
}

/// A mutation that has begun, and commits when told to.
async fn begin_change(
    id: u64,
) -> (
    Pin<Box<impl Future<Output = ()> + Send>>,
    oneshot::Sender<()>,
) {
    let (commit, committed) = oneshot::channel();
    let mutation = change_user(id, async move || {
        let _ = committed.await;
    });
    let begun = halted(mutation, 1).await.expect_err("it waits");
    (begun, commit)
}

#[tokio::test]
async fn a_mutation_that_is_carried_out_delivers_for_itself() {
    // While the transaction runs.
    let id = with_cached("old").await;
    transaction(async {
        let (mutation, commit) = begin_change(id).await;
        commit.send(()).expect("it waits");
        outside(mutation).await;
        assert_eq!(name_outside(id).await, None, "at once");
        assert_eq!(find(id, "own").await, "own");
    })
    .await;
    // After its end.
    let id = with_cached("old").await;
    let (mutation, commit) = transaction(begin_change(id)).await;
    assert_eq!(name_outside(id).await, None, "what it may have done");
    assert_eq!(find(id, "old").await, "old");
    commit.send(()).expect("it waits");
    mutation.await;
    assert_eq!(name_outside(id).await, None);
    // And one that is dropped there.
    let id = with_cached("old").await;
    let (mutation, _commit) = transaction(begin_change(id)).await;
    assert_eq!(find(id, "old").await, "old");
    drop(mutation);
    is_delivered(id).await;
}

#[tokio::test]
async fn a_task_that_is_spawned_within_is_not_within() {
    let id = with_cached("old").await;
    transaction(async {
        outside(change_user(id, async || {})).await;
        assert_eq!(name_outside(id).await, None, "at once");
        assert_eq!(outside(async move { find(id, "new").await }).await, "new");
        assert_eq!(name_outside(id).await.as_deref(), Some("new"), "stored");
    })
    .await;
    assert_eq!(name_outside(id).await.as_deref(), Some("new"));
}

/// A repository with a cache of its own.
#[derive(Clone)]
struct Stock {
    cache: Cache,
    runs: Arc<Runs>,
}

impl Stock {
    fn new() -> Self {
        Self::on(crate::apart())
    }

    fn on(cache: Cache) -> Self {
        let runs = Arc::default();
        Self { cache, runs }
    }

    #[cached(key = "stock:<item>", ttl = "1h", cache = self.cache)]
    async fn find(&self, item: u64) -> usize {
        let _ = item;
        self.runs.note()
    }

    #[cached(key = "stock:aging:<item>", ttl = "1m", stale_while_revalidate = "1h", cache = self.cache)]
    async fn find_aging(&self, item: u64) -> usize {
        let _ = item;
        self.runs.note()
    }

    #[invalidates("stock:<item>", cache = self.cache)]
    async fn change(&self, item: u64) {}

    #[invalidates("stock:<item>", fence, cache = self.cache)]
    async fn change_fenced(&self, item: u64) {}

    #[invalidates("stock:<item>", on_error = "fail", cache = self.cache)]
    async fn change_or_fail(&self, item: u64) -> Result<(), Unique> {
        Ok(())
    }

    fn invalidations(&self) -> u64 {
        self.cache.stats().invalidations
    }
}

impl<T> From<InvalidationError<T>> for Unique {
    fn from(_: InvalidationError<T>) -> Self {
        Self("not in force")
    }
}

#[tokio::test]
async fn each_key_is_delivered_once() {
    let stock = Stock::new();
    stock
        .cache
        .transaction(async {
            for _ in 0..10 {
                for item in [1, 2] {
                    stock.change(item).await;
                    stock.change_fenced(item).await;
                }
                stock
                    .cache
                    .invalidate(&Key::of("stock").part(&3_u64))
                    .await
                    .expect("held back");
            }
            assert_eq!(stock.invalidations(), 0);
        })
        .await;
    assert_eq!(stock.invalidations(), 3);
}

#[tokio::test]
async fn another_cache_hears_at_once_and_stores_nothing_that_is_loaded_within() {
    let (own, other) = (Stock::new(), Stock::new());
    own.find(1).await;
    other.find(1).await;
    own.cache
        .transaction(async {
            own.change(1).await;
            other.change(1).await;
            assert_eq!((own.invalidations(), other.invalidations()), (0, 1));
            assert_eq!(other.find(1).await, 2);
            // It is none of the other's, and may be uncommitted all the same.
            assert_eq!(other.find(1).await, 3);
            // One within another, of another cache, ends by itself.
            own.find(2).await;
            other
                .cache
                .transaction(async {
                    own.change(2).await;
                    other.change(2).await;
                    assert_eq!((own.invalidations(), other.invalidations()), (0, 1));
                })
                .await;
            assert_eq!((own.invalidations(), other.invalidations()), (0, 2));
        })
        .await;
    assert_eq!((own.invalidations(), other.invalidations()), (2, 2));
}

/// It must be able to roll back, so it must know before the end.
#[tokio::test]
async fn a_mutation_that_is_to_fail_is_tried_at_once_and_delivered_in_the_end() {
    let stock = Stock::new();
    stock
        .cache
        .transaction(async {
            stock.change_or_fail(1).await.expect("delivered");
            assert_eq!(stock.invalidations(), 1);
            // Loaded by others before the commit.
            let (first, second) = (stock.clone(), stock.clone());
            assert_eq!(outside(async move { first.find(1).await }).await, 1);
            assert_eq!(outside(async move { second.find(1).await }).await, 1);
        })
        .await;
    assert_eq!(stock.invalidations(), 2);
    assert_eq!(stock.find(1).await, 2);
}

#[tokio::test]
async fn what_is_stale_is_answered_within_and_not_refreshed() {
    let clock = TestClock::new();
    let stock = Stock::on(crate::timed(&clock));
    let item = fresh();
    assert_eq!(stock.find_aging(item).await, 1);
    clock.advance(Duration::from_secs(120));
    stock
        .cache
        .transaction(async {
            for _ in 0..3 {
                assert_eq!(stock.find_aging(item).await, 1);
            }
        })
        .await;
    let stats = stock.cache.stats();
    assert_eq!(
        (stats.stale_hits, stats.revalidations, stats.loads),
        (3, 0, 1)
    );
    assert_eq!(stock.find_aging(item).await, 1);
    eventually("it is refreshed outside", async || {
        stock.cache.stats().revalidations == 1
    })
    .await;
}

#[tokio::test]
async fn calls_within_are_counted() {
    let stock = Stock::new();
    stock.find(1).await;
    let before = stock.cache.stats();
    stock
        .cache
        .transaction(async {
            stock.find(1).await;
            stock.find(2).await;
            stock.change(1).await;
            stock.find(1).await;
        })
        .await;
    let Stats {
        hits,
        bypasses_transaction,
        loads,
        misses,
        fills,
        ..
    } = stock.cache.stats().since(&before);
    assert_eq!(
        (hits, bypasses_transaction, loads, misses, fills),
        (1, 2, 2, 0, 0)
    );
    assert_eq!(stock.cache.stats().since(&before).calls(), 3);
}

/// More keys than are held back: the namespace is emptied, and in the transaction nothing is trusted.
#[tokio::test]
async fn past_the_bound_nothing_is_kept() {
    const MORE_THAN_ARE_KEPT: u64 = 10_001;
    for drops in [false, true] {
        let stock = Stock::new();
        let other = Key::of("other");
        stock.cache.put(&other, 1_u64, HOUR).await.expect("stored");
        assert_eq!(stock.find(MORE_THAN_ARE_KEPT).await, 1);
        let (told, is_told) = oneshot::channel();
        let scope = stock.cache.transaction(async {
            for item in 1..=MORE_THAN_ARE_KEPT {
                if item == MORE_THAN_ARE_KEPT {
                    let kept = stock.cache.get(&other, HOUR).await;
                    assert_eq!(kept.ok(), Some(Some(1_u64)), "up to the bound");
                }
                stock.change(item).await;
            }
            assert_eq!(stock.cache.get::<u64>(&other, HOUR).await.ok(), Some(None));
            assert_eq!(stock.find(MORE_THAN_ARE_KEPT).await, 2);
            if drops {
                let _ = told.send(());
                std::future::pending::<()>().await;
            }
        });
        // Dropped where it is told that it waits, or run to its end.
        select(Box::pin(scope), is_told).await;
        assert_eq!(stock.cache.get::<u64>(&other, HOUR).await.ok(), Some(None));
        assert_eq!(stock.find(MORE_THAN_ARE_KEPT).await, 3);
        eventually("the epoch has moved", async || {
            stock.cache.put(&other, 2, HOUR).await.is_ok() && stock.cache.undelivered() == 0
        })
        .await;
        assert_eq!(stock.invalidations(), 0);
    }
}

#[tokio::test]
async fn the_switch_is_asked_in_the_end() {
    let stock = Stock::new();
    for (begins, ends, delivered) in [
        (Mode::Off, Mode::Off, 1),
        (Mode::On, Mode::Off, 1),
        (Mode::Detached, Mode::On, 1),
        (Mode::On, Mode::Detached, 0),
    ] {
        stock.cache.set_mode(begins).expect("switched");
        let before = stock.invalidations();
        stock
            .cache
            .transaction(async {
                stock.change(1).await;
                let loads = stock.runs.count();
                stock.cache.set_mode(ends).expect("switched");
                assert_eq!(stock.find(1).await, loads + 1);
            })
            .await;
        assert_eq!(stock.invalidations() - before, delivered, "{begins} {ends}");
    }
}

/// The order of two tasks on one thread, on either executor.
#[test]
fn it_holds_on_any_executor_and_while_it_is_polled() {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let stock = Stock::on(Cache::new(cache_runtime::CacheConfig::embedded()).expect("a cache"));
    futures_executor::block_on(async {
        let within = stock.cache.transaction(async {
            for _ in 0..3 {
                stock.change(1).await;
                assert_eq!(stock.invalidations(), NEXT.load(Ordering::SeqCst));
                yield_now_anywhere().await;
            }
        });
        let beside = async {
            for _ in 0..3 {
                stock.change(2).await;
                NEXT.fetch_add(1, Ordering::SeqCst);
                yield_now_anywhere().await;
            }
        };
        join(within, beside).await;
    });
    assert_eq!(stock.invalidations(), 4);
}

async fn yield_now_anywhere() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
