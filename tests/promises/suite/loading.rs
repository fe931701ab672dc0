//! Lives: of values, and of leases while a load runs.

use std::time::Duration;

use cache_runtime::{cached, refresh};
use cache_tests::eventually;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Found, Runs, User, change_user, find_user, fresh};

#[tokio::test]
async fn a_value_expires() {
    #[cached(key = "loading:short:<id>", ttl = "200ms", skip(runs))]
    async fn short(id: u64, runs: &Runs) -> u64 {
        runs.note();
        id
    }
    let (id, runs) = (fresh(), Runs::default());
    short(id, &runs).await;
    eventually("the value expires and is loaded again", async || {
        short(id, &runs).await;
        runs.count() > 1
    })
    .await;
}

/// A load that has begun, and goes on when told to.
pub(super) async fn begin_load(id: u64, name: &'static str) -> Begun {
    begin(id, name, false).await
}

/// The same within `refresh`.
pub(super) async fn begin_refresh(id: u64, name: &'static str) -> Begun {
    begin(id, name, true).await
}

type Begun = (JoinHandle<Found>, oneshot::Sender<()>);

async fn begin(id: u64, name: &'static str, refreshes: bool) -> Begun {
    let (started, wait_for_start) = oneshot::channel();
    let (go_on, wait_to_go_on) = oneshot::channel();
    let call = find_user(id, async move || {
        let _ = started.send(());
        let _ = wait_to_go_on.await;
        Ok(Some(User::named(id, name)))
    });
    let load = if refreshes {
        tokio::spawn(refresh(call))
    } else {
        tokio::spawn(call)
    };
    wait_for_start.await.expect("the load has begun");
    (load, go_on)
}

/// The race that other libraries lose.
///
/// 1. A load begins, and reads the old value.
/// 2. An invalidation completes.
/// 3. The load ends: its value is returned to its caller, and must not be stored.
#[tokio::test]
async fn a_load_that_an_invalidation_overtook_is_not_stored() {
    let id = fresh();
    let (load, go_on) = begin_load(id, "old").await;
    change_user(id, async || {}).await;
    go_on.send(()).expect("the load waits");
    let old = load.await.expect("a result");
    assert_eq!(
        old,
        Ok(Some(User::named(id, "old"))),
        "who began before may see the old value"
    );

    let found = find_user(id, async || Ok(Some(User::named(id, "new")))).await;
    assert_eq!(found, Ok(Some(User::named(id, "new"))));
    let hit = find_user(id, async || Ok(Some(User::named(id, "newer")))).await;
    assert_eq!(hit, found, "and the new value was stored");
}

/// Joining by key would hand the old load to a reader who came after the invalidation.
#[tokio::test]
async fn a_reader_after_an_invalidation_does_not_join_an_older_load() {
    let id = fresh();
    let (load, go_on) = begin_load(id, "old").await;
    change_user(id, async || {}).await;
    // The old load still runs.
    let found = find_user(id, async || Ok(Some(User::named(id, "new")))).await;
    assert_eq!(found, Ok(Some(User::named(id, "new"))));
    drop(go_on);
    load.await.expect("a result").expect("a user");
    let hit = find_user(id, async || Ok(Some(User::named(id, "newer")))).await;
    assert_eq!(hit, found, "the old load did not overwrite the new value");
}

/// A caller outlives his patience, not the call: he loads for himself, without a fill.
#[tokio::test]
async fn waiting_for_another_load_is_bounded() {
    let id = fresh();
    let (slow, go_on) = begin_load(id, "slow").await;
    let own = find_user(id, async || Ok(Some(User::named(id, "own")))).await;
    assert_eq!(own, Ok(Some(User::named(id, "own"))));
    drop(go_on);
    slow.await.expect("a result").expect("a user");
    // The slow load's lease stood all the time, so it filled.
    tokio::time::timeout(Duration::from_secs(20), async {
        let hit = find_user(id, async || Ok(Some(User::named(id, "again")))).await;
        assert_eq!(hit, Ok(Some(User::named(id, "slow"))));
    })
    .await
    .expect("no wait is left");
}
