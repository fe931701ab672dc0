//! Patterns: everything under a key.

use cache_runtime::{Key, cached, global, invalidates, write_through};
use cache_tests::eventually;
use tokio::sync::oneshot;

use super::{Runs, Unique, fresh};

#[cached(key = "day:<user>:<date>", ttl = "1h", skip(body))]
async fn day(user: u64, date: &str, body: impl AsyncFnOnce() -> u64) -> u64 {
    body().await
}

#[cached(key = "day:<user>", ttl = "1h", skip(value))]
async fn overview(user: u64, value: u64) -> u64 {
    let _ = user;
    value
}

#[invalidates("day:<user>:*")]
async fn change<R>(user: u64, body: impl AsyncFnOnce() -> R) -> R {
    body().await
}

async fn load(user: u64, date: &str, value: u64) -> u64 {
    day(user, date, async || value).await
}

#[tokio::test]
async fn a_pattern_drops_what_is_under_it_and_nothing_else() {
    let (user, other) = (fresh(), fresh());
    let dates: Vec<_> = (0..700).map(|n| format!("date {n}")).collect();
    for date in &dates {
        assert_eq!(load(user, date, 1).await, 1);
    }
    assert_eq!(load(user, "a:b", 1).await, 1, "one segment, escaped");
    assert_eq!(load(other, "x", 1).await, 1);
    assert_eq!(overview(user, 1).await, 1);
    let longer = user * 10;
    assert_eq!(load(longer, "x", 1).await, 1, "begins with the same digits");

    change(user, async || ()).await;
    for date in &dates {
        assert_eq!(load(user, date, 2).await, 2, "{date}");
        assert_eq!(load(user, date, 3).await, 2, "stored again");
    }
    assert_eq!(load(user, "a:b", 2).await, 2);
    assert_eq!(load(other, "x", 2).await, 1);
    assert_eq!(load(longer, "x", 2).await, 1);
    assert_eq!(overview(user, 2).await, 1, "not under it, but it itself");

    let under = Key::of("day").part(&user);
    global()
        .invalidate_pattern(&under)
        .await
        .expect("delivered");
    assert_eq!(load(user, "a:b", 4).await, 4);
}

/// What fills a placeholder cannot widen a pattern.
#[tokio::test]
async fn a_part_is_no_pattern() {
    #[cached(key = "named:<name>:<id>", ttl = "1h", skip(runs))]
    async fn named(name: &str, id: u64, runs: &Runs) -> usize {
        let _ = (name, id);
        runs.note()
    }
    #[invalidates("named:<name>:*")]
    async fn change(name: &str) {
        let _ = name;
    }
    let (id, runs) = (fresh(), Runs::default());
    let names = ["*", "?", "[a-z]", "a", "a:b", "\\", "{a,b}"];
    for (at, name) in names.iter().enumerate() {
        assert_eq!(named(name, id, &runs).await, at + 1);
    }
    for (done, name) in names.iter().enumerate() {
        change(name).await;
        let before = runs.count();
        named(name, id, &runs).await;
        assert_eq!(runs.count(), before + 1, "{name} was dropped");
        for other in names.iter().filter(|other| *other != name) {
            named(other, id, &runs).await;
        }
        assert_eq!(runs.count(), names.len() + done + 1, "and no other");
    }
}

/// 1. L takes its lease, and loads the old value. 2. The pattern is invalidated. 3. L fills: refused.
#[tokio::test]
async fn a_load_that_began_before_is_not_stored() {
    let user = fresh();
    let (go_on, waits) = oneshot::channel::<()>();
    let (begun, begins) = oneshot::channel::<()>();
    let old = tokio::spawn(async move {
        day(user, "today", async || {
            begun.send(()).expect("listened to");
            waits.await.expect("told");
            1
        })
        .await
    });
    begins.await.expect("it runs");
    change(user, async || ()).await;
    assert_eq!(load(user, "today", 2).await, 2, "not the load under way");
    go_on.send(()).expect("listened to");
    assert_eq!(old.await.expect("no panic"), 1);
    assert_eq!(load(user, "today", 3).await, 2);
}

/// A fence stands, and is tainted.
#[tokio::test]
async fn a_pattern_leaves_a_fence_standing() {
    #[write_through(key = "day:<user>:<date>", ttl = "1h")]
    async fn write(user: u64, date: &str, body: impl AsyncFnOnce() -> u64) -> u64 {
        body().await
    }
    let user = fresh();
    let written = write(user, "today", async || {
        change(user, async || ()).await;
        assert_eq!(load(user, "today", 2).await, 2);
        assert_eq!(load(user, "today", 3).await, 3, "still under the fence");
        4
    });
    assert_eq!(written.await, 4);
    assert_eq!(
        load(user, "today", 5).await,
        5,
        "what overlapped is not stored"
    );
}

#[tokio::test]
async fn a_mutation_that_was_dropped_invalidates_its_pattern() {
    let user = fresh();
    assert_eq!(load(user, "today", 1).await, 1);
    {
        let stuck = change(user, async || std::future::pending::<()>().await);
        let mut stuck = std::pin::pin!(stuck);
        let waker = std::task::Waker::noop();
        let mut context = std::task::Context::from_waker(waker);
        assert!(stuck.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(load(user, "today", 2).await, 2, "at once in this process");
    eventually("it is delivered", async || global().undelivered() == 0).await;
    eventually("it is stored again", async || {
        load(user, "today", 3).await;
        load(user, "today", 4).await == 3 || load(user, "today", 5).await != 5
    })
    .await;
}

#[tokio::test]
async fn a_pattern_can_be_made_of_what_was_returned() {
    #[invalidates("day:<return>:*", "day:<return>")]
    async fn change(user: u64) -> Result<u64, Unique> {
        if user == 0 {
            Err(Unique("nobody"))
        } else {
            Ok(user)
        }
    }
    let user = fresh();
    assert_eq!((load(user, "x", 1).await, overview(user, 1).await), (1, 1));
    change(0).await.expect_err("nobody");
    assert_eq!((load(user, "x", 2).await, overview(user, 2).await), (1, 1));
    change(user).await.expect("changed");
    assert_eq!((load(user, "x", 3).await, overview(user, 3).await), (3, 3));
}
