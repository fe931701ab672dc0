//! What is cached, and what is not: by return type, and by the way out of the body.

use std::sync::Arc;

use cache_runtime::cached;
use futures_util::FutureExt;

use super::{Found, Runs, Shareable, Unique, User, find_user, fresh};

/// The plainest promise of all, for each shape of return type.
#[tokio::test]
async fn the_second_sequential_call_is_a_hit() {
    #[cached(key = "outcomes:plain:<id>", ttl = 3600, skip(runs))]
    async fn plain(id: u64, runs: &Runs) -> Arc<User> {
        runs.note();
        Arc::new(User::named(id, "plain"))
    }
    #[cached(key = "outcomes:option:<id>", ttl = 3600, skip(runs))]
    async fn option(id: u64, runs: &Runs) -> Option<User> {
        runs.note();
        Some(User::named(id, "option"))
    }
    #[cached(key = "outcomes:result:<id>", ttl = 3600, skip(runs))]
    async fn result(id: u64, runs: &Runs) -> Result<User, Unique> {
        runs.note();
        Ok(User::named(id, "result"))
    }
    type Aliased<T> = Result<T, Unique>;
    #[cached(key = "outcomes:both:<id>", ttl = 3600, skip(runs))]
    async fn both(id: u64, runs: &Runs) -> Aliased<Option<User>> {
        runs.note();
        Ok(Some(User::named(id, "both")))
    }

    let (id, runs) = (fresh(), Runs::default());
    for _ in 0..3 {
        assert_eq!(*plain(id, &runs).await, User::named(id, "plain"));
        assert_eq!(option(id, &runs).await, Some(User::named(id, "option")));
        assert_eq!(result(id, &runs).await, Ok(User::named(id, "result")));
        assert_eq!(both(id, &runs).await, Ok(Some(User::named(id, "both"))));
    }
    assert_eq!(runs.count(), 4, "each body ran once");
}

/// What two functions cache under one key is one entry.
#[tokio::test]
async fn functions_of_one_key_and_type_share_their_entries() {
    #[cached(key = "user:<id>", ttl = "5m")]
    async fn the_same_user(id: u64) -> Option<User> {
        Some(User::named(id, "loaded again"))
    }
    let id = fresh();
    let found = find_user(id, async || Ok(Some(User::named(id, "Ada")))).await;
    assert_eq!(the_same_user(id).await, found.expect("a user"));
}

#[tokio::test]
async fn an_early_return_is_cached_like_any_other() {
    #[cached(key = "outcomes:early:<id>", ttl = "1h", skip(runs))]
    async fn early(id: u64, runs: &Runs) -> Result<u64, Unique> {
        if runs.note() == 1 {
            return Ok(id);
        }
        Ok(0)
    }
    let (id, runs) = (fresh(), Runs::default());
    assert_eq!(early(id, &runs).await, Ok(id));
    assert_eq!(early(id, &runs).await, Ok(id));
    assert_eq!(runs.count(), 1);
}

#[tokio::test]
async fn an_error_is_returned_and_never_cached() {
    #[cached(key = "outcomes:question:<id>", ttl = "1h", skip(runs))]
    async fn question(id: u64, runs: &Runs) -> Result<u64, Unique> {
        let first = if runs.note() == 1 {
            Err(Unique("first"))
        } else {
            Ok(id)
        };
        let found = first?;
        Ok(found)
    }
    let (id, runs) = (fresh(), Runs::default());
    assert_eq!(question(id, &runs).await, Err(Unique("first")));
    assert_eq!(question(id, &runs).await, Ok(id));
    assert_eq!(question(id, &runs).await, Ok(id));
    assert_eq!(runs.count(), 2, "the error was not cached, the value was");
}

#[tokio::test]
async fn none_is_not_cached_unless_asked_for() {
    #[cached(
        key = "outcomes:none-kept:<id>",
        ttl = "1h",
        none_ttl = "1h",
        skip(runs)
    )]
    async fn kept(id: u64, runs: &Runs) -> Option<u64> {
        (runs.note() > 1).then_some(id)
    }
    let (id, runs) = (fresh(), Runs::default());
    let load = async || -> Found {
        runs.note();
        Ok(None)
    };
    assert_eq!(find_user(id, load).await, Ok(None));
    assert_eq!(find_user(id, load).await, Ok(None));
    assert_eq!(runs.count(), 2, "not cached");

    let runs = Runs::default();
    assert_eq!(kept(id, &runs).await, None);
    assert_eq!(kept(id, &runs).await, None);
    assert_eq!(runs.count(), 1, "cached");
}

#[tokio::test]
async fn a_panic_in_the_body_is_the_callers_and_frees_the_key() {
    let id = fresh();
    let panicked = std::panic::AssertUnwindSafe(find_user(id, async || panic!("as planned")));
    assert!(panicked.catch_unwind().await.is_err());
    let found = find_user(id, async || Ok(Some(User::named(id, "Ada")))).await;
    assert_eq!(found, Ok(Some(User::named(id, "Ada"))));
    let hit = find_user(id, async || Err(Shareable("ran again"))).await;
    assert_eq!(hit, found, "the call after the panic filled");
}

#[tokio::test]
async fn a_dropped_call_frees_the_key() {
    let id = fresh();
    {
        let stuck = find_user(id, async || std::future::pending().await);
        let mut stuck = std::pin::pin!(stuck);
        for _ in 0..3 {
            let polled =
                tokio::time::timeout(std::time::Duration::from_millis(20), stuck.as_mut()).await;
            assert!(polled.is_err());
        }
    }
    let found = find_user(id, async || Ok(Some(User::named(id, "Ada")))).await;
    let hit = find_user(id, async || Err(Shareable("ran again"))).await;
    assert_eq!(hit, found);
}

/// Another meaning of the value, another type: neither is read as this one.
#[tokio::test]
async fn another_version_or_type_is_a_miss_and_is_replaced() {
    #[cached(key = "user:<id>", ttl = "1h", version = 2, skip(runs))]
    async fn newer(id: u64, runs: &Runs) -> Option<User> {
        runs.note();
        Some(User::named(id, "version 2"))
    }
    #[cached(key = "user:<id>", ttl = "1h", skip(runs))]
    async fn of_another_type(id: u64, runs: &Runs) -> Option<String> {
        runs.note();
        Some(id.to_string())
    }
    let (id, runs) = (fresh(), Runs::default());
    let old = find_user(id, async || Ok(Some(User::named(id, "version 0")))).await;
    assert_eq!(old, Ok(Some(User::named(id, "version 0"))));
    for _ in 0..2 {
        assert_eq!(newer(id, &runs).await, Some(User::named(id, "version 2")));
    }
    assert_eq!(runs.count(), 1, "the other version was replaced once");
    for _ in 0..2 {
        assert_eq!(of_another_type(id, &runs).await, Some(id.to_string()));
    }
    assert_eq!(runs.count(), 2, "the other type was replaced once");
}
