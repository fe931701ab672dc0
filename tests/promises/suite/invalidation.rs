//! Invalidations: delivered whatever becomes of the mutation.

use cache_runtime::{CacheKey, cached, global, invalidates};
use cache_tests::eventually;
use futures_util::FutureExt;

use super::{Found, Shareable, User, change_user, find_user, fresh};

async fn fill(id: u64) {
    let found = find_user(id, async || Ok(Some(User::named(id, "old")))).await;
    assert_eq!(found, Ok(Some(User::named(id, "old"))));
}

async fn is_cached(id: u64) -> bool {
    let found: Found = find_user(id, async || Err(Shareable("not cached"))).await;
    found.is_ok()
}

#[tokio::test]
async fn a_mutation_that_returned_has_invalidated() {
    let id = fresh();
    fill(id).await;
    assert!(is_cached(id).await);
    assert_eq!(change_user(id, async || "done").await, "done");
    assert!(!is_cached(id).await);
}

/// An error may come after the commit.
#[tokio::test]
async fn a_mutation_that_failed_has_invalidated() {
    #[invalidates("user:<id>")]
    async fn failing(id: u64) -> Result<(), Shareable> {
        if id > 0 {
            Err(Shareable("too late"))?;
        }
        Ok(())
    }
    let id = fresh();
    fill(id).await;
    assert!(failing(id).await.is_err());
    assert!(!is_cached(id).await);
}

#[tokio::test]
async fn a_mutation_that_panicked_invalidates() {
    let id = fresh();
    fill(id).await;
    let panicked =
        std::panic::AssertUnwindSafe(change_user(id, async || panic!("after the commit")));
    assert!(panicked.catch_unwind().await.is_err());
    eventually("the invalidation is delivered", async || {
        !is_cached(id).await
    })
    .await;
}

#[tokio::test]
async fn a_mutation_that_was_dropped_invalidates() {
    let id = fresh();
    fill(id).await;
    let stuck = change_user(id, async || std::future::pending::<()>().await);
    assert!(
        tokio::time::timeout(std::time::Duration::from_millis(20), stuck)
            .await
            .is_err()
    );
    // At once in this process, and in the store soon after.
    assert!(!is_cached(id).await);
    eventually("the invalidation is delivered", async || {
        global().undelivered() == 0
    })
    .await;
}

#[tokio::test]
async fn a_mutation_that_was_never_polled_invalidates_nothing() {
    let id = fresh();
    fill(id).await;
    drop(change_user(id, async || {}));
    assert!(is_cached(id).await);
}

#[tokio::test]
async fn keys_can_be_made_of_what_was_returned() {
    #[invalidates("user:<return.id>")]
    async fn rename(name: String, id: u64) -> Result<Option<User>, Shareable> {
        Ok(Some(User { id, name }))
    }
    #[invalidates("user:<return>")]
    async fn newest(id: u64) -> u64 {
        id
    }
    let id = fresh();
    fill(id).await;
    rename("Grace".to_owned(), id).await.expect("a user");
    assert!(!is_cached(id).await);
    fill(id).await;
    newest(id).await;
    assert!(!is_cached(id).await);
}

#[tokio::test]
async fn one_mutation_invalidates_several_keys() {
    #[invalidates("user:<from>", "user:<to>")]
    async fn transfer(from: u64, to: u64) {}

    let (from, to, other) = (fresh(), fresh(), fresh());
    for id in [from, to, other] {
        fill(id).await;
    }
    transfer(from, to).await;
    assert!(!is_cached(from).await && !is_cached(to).await);
    assert!(is_cached(other).await);
}

#[tokio::test]
async fn a_typed_key_is_shared_by_readers_and_writers() {
    #[derive(CacheKey)]
    #[cache_key("invalidation:typed:<tenant>:<id>", value = User)]
    struct UserKey<'a> {
        tenant: &'a str,
        id: u64,
    }
    #[cached(key = UserKey { tenant, id }, ttl = "1h")]
    async fn find(tenant: &str, id: u64) -> Option<User> {
        Some(User::named(id, tenant))
    }
    #[invalidates(UserKey { tenant, id: *id })]
    async fn touch(tenant: &str, id: &u64) {}

    let id = fresh();
    let key = UserKey { tenant: "a:b", id };
    let cached_value = async || {
        let policy = cache_runtime::Policy::new(std::time::Duration::from_secs(3600));
        global().get::<User>(&key, policy).await.expect("an answer")
    };
    assert_eq!(find("a:b", id).await, cached_value().await);
    touch("a:b", &id).await;
    assert_eq!(cached_value().await, None);
}
