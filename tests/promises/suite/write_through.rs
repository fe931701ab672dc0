//! Write-through: what was written is what the next read hits, or else nothing is.

use std::time::Duration;

use cache_runtime::{CacheKey, cached, global, invalidates, write_through};
use cache_tests::eventually;
use futures_util::FutureExt as _;
use tokio::sync::oneshot;

use super::{Found, Shareable, Unique, User, find_user, fresh};

/// Writes a user with the body of the caller's choice.
#[write_through(key = "user:<id>", ttl = "1h")]
async fn write_user(id: u64, body: impl AsyncFnOnce() -> Found) -> Found {
    body().await
}

/// What is cached; an error if nothing is.
async fn cached_user(id: u64) -> Found {
    find_user(id, async || Err(Shareable("not cached"))).await
}

const NOT_CACHED: Found = Err(Shareable("not cached"));

#[tokio::test]
async fn what_was_written_is_hit() {
    let id = fresh();
    for name in ["Ada", "Grace"] {
        let written = write_user(id, async || Ok(Some(User::named(id, name)))).await;
        assert_eq!(written, Ok(Some(User::named(id, name))));
        assert_eq!(cached_user(id).await, written);
    }
}

#[tokio::test]
async fn after_none_and_after_an_error_nothing_is_cached() {
    let id = fresh();
    let written = async || write_user(id, async || Ok(Some(User::named(id, "old")))).await;
    written().await.expect("written");
    assert_eq!(write_user(id, async || Ok(None)).await, Ok(None));
    assert_eq!(cached_user(id).await, NOT_CACHED);

    // It may have committed, or will: the fence stays.
    let id = fresh();
    let failed = write_user(id, async || Err(Shareable("too late"))).await;
    assert_eq!(failed, Err(Shareable("too late")));
    let loaded = async || find_user(id, async || Ok(Some(User::named(id, "loaded")))).await;
    assert!(loaded().await.is_ok());
    assert_eq!(
        cached_user(id).await,
        NOT_CACHED,
        "nothing is filled under a fence"
    );
}

/// Nobody reads or fills while it is written.
#[tokio::test]
async fn a_read_during_a_write_goes_past_the_cache() {
    let id = fresh();
    write_user(id, async || Ok(Some(User::named(id, "old"))))
        .await
        .expect("written");
    let (go_on, waits) = oneshot::channel::<()>();
    let (begun, begins) = oneshot::channel::<()>();
    let write = tokio::spawn(async move {
        write_user(id, async || {
            begun.send(()).expect("listened to");
            waits.await.expect("told");
            Ok(Some(User::named(id, "new")))
        })
        .await
    });
    begins.await.expect("it runs");
    let meanwhile = find_user(id, async || Ok(Some(User::named(id, "meanwhile")))).await;
    assert_eq!(
        meanwhile,
        Ok(Some(User::named(id, "meanwhile"))),
        "from the source"
    );
    go_on.send(()).expect("listened to");
    let written = write.await.expect("no panic");
    assert_eq!(
        cached_user(id).await,
        written,
        "not what was loaded meanwhile"
    );
}

/// 1. W1 and W2 write at the same time. 2. W2 commits last, and returns first. 3. W1 returns: its value must not stay.
#[tokio::test]
async fn of_two_writers_at_a_time_none_stores() {
    let id = fresh();
    let (go_on, waits) = oneshot::channel::<()>();
    let (begun, begins) = oneshot::channel::<()>();
    let first = tokio::spawn(async move {
        write_user(id, async || {
            begun.send(()).expect("listened to");
            waits.await.expect("told");
            Ok(Some(User::named(id, "older")))
        })
        .await
    });
    begins.await.expect("it runs");
    write_user(id, async || Ok(Some(User::named(id, "newer"))))
        .await
        .expect("written");
    go_on.send(()).expect("listened to");
    first.await.expect("no panic").expect("written");
    assert_eq!(cached_user(id).await, NOT_CACHED);
    // And the key is free again.
    write_user(id, async || Ok(Some(User::named(id, "last"))))
        .await
        .expect("written");
    assert_eq!(cached_user(id).await, Ok(Some(User::named(id, "last"))));
}

#[tokio::test]
async fn a_write_that_is_dropped_or_panics_drops_what_was_cached() {
    let id = fresh();
    let old = async || write_user(id, async || Ok(Some(User::named(id, "old")))).await;
    old().await.expect("written");
    {
        let stuck = write_user(id, async || std::future::pending().await);
        let mut stuck = std::pin::pin!(stuck);
        let polled = tokio::time::timeout(Duration::from_millis(50), stuck.as_mut()).await;
        assert!(polled.is_err());
    }
    eventually("it is dropped", async || {
        cached_user(id).await == NOT_CACHED
    })
    .await;

    let id = fresh();
    write_user(id, async || Ok(Some(User::named(id, "old"))))
        .await
        .expect("written");
    let panicked =
        std::panic::AssertUnwindSafe(write_user(id, async || panic!("after the commit")));
    assert!(panicked.catch_unwind().await.is_err());
    eventually("it is dropped", async || {
        cached_user(id).await == NOT_CACHED
    })
    .await;
}

#[tokio::test]
async fn the_value_can_be_made_of_arguments_and_chosen() {
    #[write_through(
        key = "user:<user.id>",
        ttl = Duration::from_secs(u64::from(hours) * 3600),
        value = |()| user.clone(),
        when = |user| user.name != "nobody"
    )]
    async fn save(user: &User, hours: u32) -> Result<(), Unique> {
        let _ = (user, hours);
        Ok(())
    }
    let id = fresh();
    save(&User::named(id, "Ada"), 1).await.expect("saved");
    assert_eq!(cached_user(id).await, Ok(Some(User::named(id, "Ada"))));
    save(&User::named(id, "nobody"), 1).await.expect("saved");
    assert_eq!(
        cached_user(id).await,
        NOT_CACHED,
        "not stored, and the old one is gone"
    );
    save(&User::named(id, "Ada"), 0).await.expect("saved");
    assert_eq!(cached_user(id).await, NOT_CACHED, "lives for no time");
}

/// Several effects on one function, a typed key, and a method.
#[tokio::test]
async fn one_function_writes_several_keys_and_invalidates_others() {
    #[derive(CacheKey)]
    #[cache_key("written:count:<id>", value = u64)]
    struct CountKey {
        id: u64,
    }
    #[cached(key = CountKey { id }, ttl = "1h")]
    async fn count(id: u64) -> Option<u64> {
        (id == 0).then_some(0)
    }
    struct Users;
    impl Users {
        #[write_through(key = "user:<id>", ttl = "1h", value = |count| User::named(id, &count.to_string()))]
        #[write_through(key = CountKey { id }, ttl_by = |count| Duration::from_secs(*count))]
        #[invalidates("user:<other>")]
        async fn add(&self, id: u64, other: u64, count: u64) -> Result<u64, Unique> {
            Ok(count)
        }
    }
    let (id, other) = (fresh(), fresh());
    write_user(other, async || Ok(Some(User::named(other, "old"))))
        .await
        .expect("written");
    assert_eq!(Users.add(id, other, 3600).await, Ok(3600));
    assert_eq!(cached_user(id).await, Ok(Some(User::named(id, "3600"))));
    assert_eq!(count(id).await, Some(3600));
    assert_eq!(cached_user(other).await, NOT_CACHED);
}

#[tokio::test]
async fn it_is_counted() {
    #[write_through(key = "written:counted:<id>", ttl = "1h")]
    async fn write(id: u64) -> u64 {
        id
    }
    let site = cache_runtime::call_sites()
        .find(|site| site.templates() == ["written:counted:<id>"])
        .expect("registered");
    let before = site.stats();
    write(fresh()).await;
    let stats = site.stats().since(&before);
    assert_eq!((stats.fills, stats.store_errors), (1, 0));
    assert!(global().stats().fills >= 1);
}
