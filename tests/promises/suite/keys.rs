//! Keys as the store sees them: two argument lists, two entries.

use cache_runtime::{cached, invalidates};

use super::{Runs, fresh};

#[cached(key = "keys:pair:<id>:<a>:<b>", ttl = "1h")]
async fn pair(id: u64, a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[tokio::test]
async fn an_argument_cannot_break_out_of_its_segment() {
    let id = fresh();
    assert_eq!(pair(id, "x:y", "z").await, ("x:y".into(), "z".into()));
    assert_eq!(pair(id, "x", "y:z").await, ("x".into(), "y:z".into()));
    assert_eq!(pair(id, "", "").await, (String::new(), String::new()));
    assert_eq!(pair(id, "%3A", ":").await, ("%3A".into(), ":".into()));
}

#[tokio::test]
async fn an_argument_cannot_act_as_a_pattern() {
    #[cached(key = "keys:name:<id>:<name>", ttl = "1h", skip(runs))]
    async fn find(id: u64, name: &str, runs: &Runs) -> usize {
        runs.note()
    }
    #[invalidates("keys:name:<id>:<name>")]
    async fn touch(id: u64, name: &str) {}

    let (id, runs) = (fresh(), Runs::default());
    for name in ["*", "a", "b"] {
        find(id, name, &runs).await;
    }
    touch(id, "*").await;
    for name in ["a", "b"] {
        assert!(find(id, name, &runs).await <= 3, "`{name}` is still cached");
    }
    assert_eq!(
        find(id, "*", &runs).await,
        4,
        "only `*` itself was invalidated"
    );
}

#[tokio::test]
async fn a_hashed_argument_finds_its_entry_again() {
    #[cached(key = "keys:session:<id>:<token:hash>", ttl = "24h", skip(runs))]
    async fn session(id: u64, token: &str, runs: &Runs) -> String {
        runs.note();
        token.to_uppercase()
    }
    let (id, runs) = (fresh(), Runs::default());
    for token in ["s3cret", "0ther", "s3cret", "0ther"] {
        assert_eq!(session(id, token, &runs).await, token.to_uppercase());
    }
    assert_eq!(runs.count(), 2);
}
