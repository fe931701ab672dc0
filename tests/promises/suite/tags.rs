//! Tags: one invalidation for many keys.

use std::sync::Arc;
use std::time::Duration;

use cache_runtime::__private::{AnyValue, apply_step};
use cache_runtime::slot::{Reply, Step, Token};
use cache_runtime::{CacheKey, Key, KeyWriter, cached, global, invalidates, write_through};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::{Runs, Shareable, Unique, fresh};

/// A page of a team, which a change of the team or of the theme makes void.
#[cached(key = "page:<team>:<number>", ttl = "1h", none_ttl = "1h", tags = ["team:<team>", "theme:<theme>"], skip(theme, body))]
async fn page(
    team: u64,
    number: u64,
    theme: u64,
    body: impl AsyncFnOnce() -> Option<u64>,
) -> Option<u64> {
    body().await
}

#[invalidates(tag = "team:<team>")]
async fn change_team<R>(team: u64, body: impl AsyncFnOnce() -> R) -> R {
    body().await
}

#[invalidates(tag = "theme:<theme>", fence)]
async fn change_theme<R>(theme: u64, body: impl AsyncFnOnce() -> R) -> R {
    body().await
}

/// The slot of a tag, which no key of a program's own can name.
struct Slot(&'static str, u64);

impl CacheKey for Slot {
    type Admits = AnyValue;

    fn template(&self) -> std::borrow::Cow<'static, str> {
        "a tag's slot".into()
    }

    fn write_key(&self, key: &mut KeyWriter) {
        key.literal("%t:");
        key.literal(self.0);
        key.literal(":");
        key.part(&self.1);
    }
}

async fn load(team: u64, number: u64, theme: u64, value: u64) -> Option<u64> {
    page(team, number, theme, async || Some(value)).await
}

#[tokio::test]
async fn a_tag_drops_what_has_it_and_nothing_else() {
    let (team, other, theme) = (fresh(), fresh(), fresh());
    for number in 0..3 {
        assert_eq!(load(team, number, theme, 1).await, Some(1));
        assert_eq!(load(other, number, theme, 1).await, Some(1));
        assert_eq!(load(team, number, theme, 2).await, Some(1), "a hit");
    }
    change_team(team, async || ()).await;
    for number in 0..3 {
        assert_eq!(load(team, number, theme, 3).await, Some(3));
        assert_eq!(load(team, number, theme, 4).await, Some(3), "stored again");
        assert_eq!(load(other, number, theme, 4).await, Some(1));
    }
    change_theme(theme, async || ()).await;
    for team in [team, other] {
        assert_eq!(load(team, 0, theme, 5).await, Some(5));
        assert_eq!(load(team, 0, theme, 6).await, Some(5));
    }
    global()
        .invalidate_tag(&Key::of("team").part(&team))
        .await
        .expect("delivered");
    assert_eq!(load(team, 0, theme, 7).await, Some(7));
    assert_eq!(load(other, 0, theme, 7).await, Some(5));
}

#[tokio::test]
async fn absence_has_tags_too() {
    let (team, theme, runs) = (fresh(), fresh(), Runs::default());
    let absent = async || {
        runs.note();
        None
    };
    assert_eq!(page(team, 0, theme, absent).await, None);
    assert_eq!(page(team, 0, theme, absent).await, None);
    assert_eq!(runs.count(), 1);
    change_team(team, async || ()).await;
    assert_eq!(load(team, 0, theme, 1).await, Some(1));
}

/// 1. L begins to load. 2. The tag is invalidated. 3. R begins. 4. L ends.
///
/// R finds L's lease, which the invalidation has left as it was, and must not be handed what L loads.
#[tokio::test]
async fn a_load_that_began_before_is_not_handed_to_who_came_after() {
    let (team, theme) = (fresh(), fresh());
    let (go_on, waits) = oneshot::channel::<()>();
    let (begun, begins) = oneshot::channel::<()>();
    let old = tokio::spawn(async move {
        page(team, 0, theme, async || {
            begun.send(()).expect("listened to");
            waits.await.expect("told");
            Some(1)
        })
        .await
    });
    begins.await.expect("it runs");
    change_team(team, async || ()).await;
    let reader = tokio::spawn(load(team, 0, theme, 2));
    // Waiting for the load, most likely.
    tokio::task::yield_now().await;
    go_on.send(()).expect("listened to");
    assert_eq!(old.await.expect("no panic"), Some(1), "who began before");
    assert_eq!(reader.await.expect("no panic"), Some(2), "who began after");
    // And what was filled is void.
    assert_ne!(load(team, 0, theme, 3).await, Some(1));
}

/// The same, with many who come after: one of them loads, and not each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_came_after_one_loads() {
    for _ in 0..20 {
        let (team, theme, runs) = (fresh(), fresh(), Arc::new(Runs::default()));
        let (go_on, waits) = oneshot::channel::<()>();
        let (begun, begins) = oneshot::channel::<()>();
        let old = tokio::spawn(async move {
            page(team, 0, theme, async || {
                begun.send(()).expect("listened to");
                waits.await.expect("told");
                Some(1)
            })
            .await
        });
        begins.await.expect("it runs");
        change_team(team, async || ()).await;
        let gate = Arc::new(Semaphore::new(0));
        let mut callers = JoinSet::new();
        for _ in 0..8 {
            let (runs, gate) = (runs.clone(), gate.clone());
            callers.spawn(page(team, 0, theme, async move || {
                runs.note();
                let _ = gate.acquire().await;
                Some(2)
            }));
        }
        // All of them wait for the old load, most likely.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        go_on.send(()).expect("listened to");
        assert_eq!(old.await.expect("no panic"), Some(1));
        cache_tests::eventually("one runs", async || runs.count() > 0).await;
        gate.add_permits(8);
        while let Some(found) = callers.join_next().await {
            assert_eq!(found.expect("no panic"), Some(2));
        }
        assert_eq!(runs.count(), 1);
    }
}

/// Nothing is read or filled while a fenced mutation of a tag runs.
#[tokio::test]
async fn a_fence_over_a_tag_is_one_over_its_keys() {
    let (team, theme) = (fresh(), fresh());
    assert_eq!(load(team, 0, theme, 1).await, Some(1));
    change_theme(theme, async || {
        assert_eq!(load(team, 0, theme, 2).await, Some(2), "past the cache");
        assert_eq!(load(team, 0, theme, 3).await, Some(3), "nothing was stored");
    })
    .await;
    assert_eq!(load(team, 0, theme, 4).await, Some(4));
    assert_eq!(load(team, 0, theme, 5).await, Some(4));
}

/// An eviction costs a load.
#[tokio::test]
async fn a_tag_that_was_lost_leaves_no_stale_value() {
    let (team, theme) = (fresh(), fresh());
    assert_eq!(load(team, 0, theme, 1).await, Some(1));
    let tag = Slot("team", team);
    let reply = apply_step(global(), &tag, Step::Read, Duration::ZERO).await;
    assert!(matches!(reply, Ok(Reply::Hit(..))), "{reply:?}");
    apply_step(global(), &tag, Step::Expire, Duration::ZERO)
        .await
        .expect("carried out");
    assert_eq!(load(team, 0, theme, 2).await, Some(2));
    assert_eq!(load(team, 0, theme, 3).await, Some(2));
}

/// Whoever gives a tag its generation takes its lease, and may be dropped before he fills it. The lease is as good.
#[tokio::test]
async fn a_tag_whose_maker_was_dropped_is_one() {
    let (team, theme) = (fresh(), fresh());
    let (lease, over) = (Token::next(), None);
    let acquire = Step::Acquire { lease, over };
    let tag = Slot("team", team);
    let reply = apply_step(global(), &tag, acquire, Duration::from_secs(60)).await;
    assert!(matches!(reply, Ok(Reply::Granted)), "{reply:?}");
    assert_eq!(load(team, 0, theme, 1).await, Some(1));
    assert_eq!(load(team, 0, theme, 2).await, Some(1), "it was stored");
    change_team(team, async || ()).await;
    assert_eq!(load(team, 0, theme, 3).await, Some(3));
    assert_eq!(load(team, 0, theme, 4).await, Some(3));
}

/// After the invalidation of a tag one caller loads, and the others are handed what he has loaded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_caller_loads_after_an_invalidation() {
    let (team, theme, runs) = (fresh(), fresh(), Arc::new(Runs::default()));
    assert_eq!(load(team, 0, theme, 1).await, Some(1));
    change_team(team, async || ()).await;
    let gate = Arc::new(Semaphore::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let (runs, gate) = (runs.clone(), gate.clone());
        callers.spawn(page(team, 0, theme, async move || {
            runs.note();
            let _ = gate.acquire().await;
            Some(2)
        }));
    }
    cache_tests::eventually("one runs", async || runs.count() > 0).await;
    gate.add_permits(50);
    while let Some(found) = callers.join_next().await {
        assert_eq!(found.expect("no panic"), Some(2));
    }
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn what_is_written_through_has_tags() {
    #[write_through(key = "page:<team>:0", ttl = "1h", tags = ["team:<team>", "theme:<theme>"])]
    async fn write(team: u64, theme: u64, value: u64) -> Result<Option<u64>, Unique> {
        let _ = (team, theme);
        Ok(Some(value))
    }
    let (team, theme) = (fresh(), fresh());
    assert_eq!(write(team, theme, 1).await, Ok(Some(1)));
    assert_eq!(load(team, 0, theme, 2).await, Some(1), "a hit");
    change_theme(theme, async || ()).await;
    assert_eq!(load(team, 0, theme, 3).await, Some(3));
    assert_eq!(write(team, theme, 4).await, Ok(Some(4)));
    assert_eq!(load(team, 0, theme, 5).await, Some(4));
}

/// A key, and a tag by what was returned, on one function.
#[tokio::test]
async fn keys_and_tags_go_together() {
    #[cached(key = "member:<id>", ttl = "1h", skip(loads))]
    async fn member(id: u64, loads: bool) -> Result<u64, Shareable> {
        if loads {
            Ok(id)
        } else {
            Err(Shareable("not cached"))
        }
    }
    #[invalidates("member:<id>", tag = "team:<return.0>", tag = "theme:<return.1>")]
    async fn leave(id: u64, team: u64, theme: u64) -> Result<(u64, u64), Unique> {
        let _ = id;
        Ok((team, theme))
    }
    let (id, team, theme) = (fresh(), fresh(), fresh());
    assert_eq!(member(id, true).await, Ok(id));
    assert_eq!(load(team, 0, theme, 1).await, Some(1));
    assert_eq!(
        leave(id, team, fresh()).await.map(|(team, _)| team),
        Ok(team)
    );
    assert_eq!(member(id, false).await, Err(Shareable("not cached")));
    assert_eq!(load(team, 0, theme, 2).await, Some(2));
    leave(id, fresh(), theme).await.expect("left");
    assert_eq!(load(team, 0, theme, 3).await, Some(3));
}
