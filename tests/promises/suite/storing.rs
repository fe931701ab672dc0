//! Which values are stored, and for how long: `when`, `ttl = <expression>`, `ttl_by`.

use std::time::Duration;

use cache_runtime::cached;

use super::{Runs, Shareable, Unique, User, fresh};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn only_what_when_is_true_for_is_stored() {
    #[cached(key = "when:<id>", ttl = "1h", when = |user| user.name == "Ada", skip(runs))]
    async fn find(id: u64, runs: &Runs) -> Result<Option<User>, Shareable> {
        let name = if runs.note() < 3 { "Grace" } else { "Ada" };
        Ok(Some(User::named(id, name)))
    }
    let (id, runs) = (fresh(), Runs::default());
    for expected in ["Grace", "Grace", "Ada", "Ada"] {
        let found = find(id, &runs).await;
        assert_eq!(found, Ok(Some(User::named(id, expected))));
    }
    assert_eq!(runs.count(), 3, "the first two were not stored");
}

#[tokio::test]
async fn when_may_use_arguments_and_be_a_function() {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "as `when` takes it")]
    fn is_even(n: &u64) -> bool {
        n.is_multiple_of(2)
    }
    #[cached(key = "when:fn:<id>", ttl = "1h", when = is_even, skip(runs))]
    async fn even(id: u64, runs: &Runs) -> u64 {
        runs.note();
        id
    }
    #[cached(key = "when:argument:<id>:<least>", ttl = "1h", when = |n| *n >= least, skip(runs))]
    async fn at_least(id: u64, least: u64, runs: &Runs) -> u64 {
        runs.note();
        id
    }
    let (id, runs) = (fresh() * 2, Runs::default());
    assert_eq!((even(id, &runs).await, even(id, &runs).await), (id, id));
    assert_eq!(runs.count(), 1);
    let odd = id + 1;
    assert_eq!((even(odd, &runs).await, even(odd, &runs).await), (odd, odd));
    assert_eq!(runs.count(), 3);

    let runs = Runs::default();
    for _ in 0..2 {
        assert_eq!(at_least(id, id, &runs).await, id);
        assert_eq!(at_least(id, id + 1, &runs).await, id);
    }
    assert_eq!(runs.count(), 3, "the second was not stored");
}

/// `when` is asked about values; an absent one has `none_ttl`.
#[tokio::test]
async fn when_is_not_asked_about_none() {
    #[cached(key = "when:none:<id>", ttl = "1h", none_ttl = "1h", when = |_| false, skip(runs))]
    async fn find(id: u64, runs: &Runs) -> Option<u64> {
        runs.note();
        (id == 0).then_some(id)
    }
    let (id, runs) = (fresh(), Runs::default());
    assert_eq!((find(id, &runs).await, find(id, &runs).await), (None, None));
    assert_eq!(runs.count(), 1, "absence was stored");
    assert_eq!(find(0, &runs).await, Some(0));
    assert_eq!(find(0, &runs).await, Some(0));
    assert_eq!(runs.count(), 3);
}

#[tokio::test]
async fn a_call_says_how_long_its_value_lives() {
    struct Service {
        ttl: Duration,
    }
    impl Service {
        #[cached(key = "ttl:<name>:<id>", ttl = if id == 0 { Duration::ZERO } else { self.ttl }, skip(runs))]
        async fn find(&self, name: String, id: u64, runs: &Runs) -> Result<u64, Unique> {
            runs.note();
            drop(name);
            Ok(id)
        }
    }
    let (service, id, runs) = (Service { ttl: HOUR }, fresh(), Runs::default());
    for _ in 0..2 {
        assert_eq!(service.find("a".to_owned(), id, &runs).await, Ok(id));
    }
    assert_eq!(runs.count(), 1);
    for _ in 0..2 {
        assert_eq!(service.find(format!("b{id}"), 0, &runs).await, Ok(0));
    }
    assert_eq!(runs.count(), 3, "what lives for no time is not stored");
}

#[tokio::test]
async fn a_value_says_how_long_it_lives() {
    #[cached(key = "ttl-by:<id>", ttl_by = |seconds| Duration::from_secs(*seconds), skip(runs))]
    async fn seconds(id: u64, runs: &Runs) -> u64 {
        if runs.note() == 1 { 0 } else { id + 100 }
    }
    let (id, runs) = (fresh(), Runs::default());
    assert_eq!(seconds(id, &runs).await, 0);
    assert_eq!(seconds(id, &runs).await, id + 100);
    assert_eq!(seconds(id, &runs).await, id + 100);
    assert_eq!(runs.count(), 2, "the first lived for no time");
}

/// A panic in one of the functions is the caller's, and frees the key.
#[tokio::test]
async fn a_panic_in_when_frees_the_key() {
    use futures_util::FutureExt as _;

    #[cached(key = "when:panics:<id>", ttl = "1h", when = |n| { assert!(*n > 1, "as planned"); true }, skip(runs))]
    async fn find(id: u64, runs: &Runs) -> usize {
        let _ = id;
        runs.note()
    }
    let (id, runs) = (fresh(), Runs::default());
    let panicked = std::panic::AssertUnwindSafe(find(id, &runs));
    assert!(panicked.catch_unwind().await.is_err());
    assert_eq!(find(id, &runs).await, 2);
    assert_eq!(find(id, &runs).await, 2);
}
