//! Every option about values at the end of their TTL, and every form of argument that a refresh may take along.

use std::sync::Arc;

use cache_runtime::{cached, call_sites};

#[derive(Clone)]
struct Repository;

struct NotCloneable;

#[cached(key = "a:<name>:<id>", ttl = "1m", stale_while_revalidate = "1m", stale_if_error = "10m", timeout = "100ms", refresh_ahead = 0.9)]
async fn all(name: &str, id: u64) -> Result<String, String> {
    Ok(format!("{name} {id}"))
}

#[cached(key = "b:<id>", ttl = "1m", refresh_ahead = "xfetch", refresh = "background")]
async fn by_chance(id: &u64) -> u64 {
    *id
}

// One caller refreshes, and what it borrows need not be cloned.
#[cached(key = "c:<id>", ttl = "1m", stale_while_revalidate = "1m", refresh = "inline", skip(with))]
async fn inline(with: &mut NotCloneable, id: u64) -> u64 {
    let _ = with;
    id
}

// No load outlives its call.
#[cached(key = "d:<id>", ttl = "1m", stale_if_error = "1m", skip(with))]
async fn if_error(with: &NotCloneable, id: u64) -> Result<u64, String> {
    let _ = with;
    Ok(id)
}

// What the body does not use, it need not take along.
#[cached(key = "e:<id>", ttl = "1m", stale_while_revalidate = "1m")]
async fn unused(_with: &NotCloneable, id: u64) -> u64 {
    id
}

mod helper {
    pub(super) fn twice(id: u64) -> u64 {
        id * 2
    }
}

impl Repository {
    #[cached(key = "f:<id>", ttl = "1m", stale_while_revalidate = "1m")]
    async fn of_a_method(&self, id: u64) -> u64 {
        let Self = self;
        self::helper::twice(id)
    }

    #[cached(key = "g:<pair.0>:<pair.1>", ttl = "1m", stale_while_revalidate = "1m", skip(more))]
    async fn of_an_arc<T: Clone + Send + Sync + 'static>(self: Arc<Self>, pair: (u64, &'static str), more: &T) -> u64 {
        let _ = (self, more.clone());
        pair.0
    }

    #[cached(key = "h:<id>", ttl = "1m", stale_while_revalidate = "1m", skip(other), tags = ["t:<id>"], when = |id| *id > 0)]
    async fn of_a_pattern(&self, (id, other): (u64, String)) -> u64 {
        let _ = (self, other);
        id
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(all("Ada", 1).await, Ok("Ada 1".to_owned()));
    assert_eq!(by_chance(&2).await, 2);
    assert_eq!(inline(&mut NotCloneable, 3).await, 3);
    assert_eq!(if_error(&NotCloneable, 4).await, Ok(4));
    assert_eq!(unused(&NotCloneable, 5).await, 5);
    assert_eq!(Repository.of_a_method(6).await, 12);
    assert_eq!(Arc::new(Repository).of_an_arc((7, ""), &8).await, 7);
    assert_eq!(Repository.of_a_pattern((9, String::new())).await, 9);
    assert_eq!(call_sites().count(), 8);
}
