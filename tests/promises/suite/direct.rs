//! Keys by themselves, and many at once.

use std::time::Duration;

use cache_runtime::{CacheKey, Policy, cached, global};

use super::{Runs, Unique, User, fresh};

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

#[derive(Debug, PartialEq, CacheKey)]
#[cache_key("direct:<id>", value = User)]
struct UserKey {
    id: u64,
}

#[tokio::test]
async fn a_typed_key_finds_and_drops_what_a_function_has_cached() {
    #[cached(key = UserKey { id }, ttl = "1h", skip(name))]
    async fn find(id: u64, name: &str) -> Option<User> {
        Some(User::named(id, name))
    }
    let id = fresh();
    let key = UserKey { id };
    assert_eq!(key.get().await.expect("asked"), None);
    find(id, "Ada").await;
    assert_eq!(
        key.get().await.expect("asked"),
        Some(User::named(id, "Ada"))
    );
    key.invalidate().await.expect("delivered");
    assert_eq!(key.get().await.expect("asked"), None);
    assert_eq!(find(id, "Grace").await, Some(User::named(id, "Grace")));
}

#[tokio::test]
async fn many_keys_are_warmed_and_those_that_fail_are_told() {
    let first = fresh();
    let ids: Vec<_> = (0..100).map(|_| fresh()).collect();
    let runs = Runs::default();
    let load = async |key: &UserKey| {
        runs.note();
        if key.id == first {
            return Err(Unique("as planned"));
        }
        Ok(User::named(key.id, "Ada"))
    };
    let keys = || {
        let ids = std::iter::once(&first).chain(&ids);
        ids.map(|id| UserKey { id: *id })
    };
    let mut steps = Vec::new();
    let failed = global()
        .warm(keys(), HOUR, load, |done| steps.push(done))
        .await;
    assert_eq!(failed, [(UserKey { id: first }, Unique("as planned"))]);
    assert_eq!(steps, [32, 64, 96, 101]);
    assert_eq!(runs.count(), 101);
    for id in &ids {
        let found = UserKey { id: *id }.get().await.expect("asked");
        assert_eq!(found, Some(User::named(*id, "Ada")));
    }
    global().warm(keys(), HOUR, load, |_| {}).await;
    assert_eq!(runs.count(), 102, "only what was missing");
    assert!(
        global()
            .warm(std::iter::empty(), HOUR, load, |_| {})
            .await
            .is_empty()
    );
}
