//! The same tests for every store.

mod batch;
mod control;
mod direct;
mod fleet;
mod invalidation;
mod keys;
mod loading;
mod loads;
mod outcomes;
mod own_cache;
mod patterns;
mod staleness;
mod stampede;
mod stats;
mod storing;
mod tags;
mod transactions;
mod verify;
mod write_through;

use std::sync::Once;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use cache_runtime::{cached, invalidates};
use serde::{Deserialize, Serialize};

/// The value of most tests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    id: u64,
    name: String,
}

impl User {
    fn named(id: u64, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
        }
    }
}

/// An error that can be shared with those who wait.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shareable(&'static str);

/// An error that cannot.
#[derive(Debug, PartialEq)]
pub(crate) struct Unique(&'static str);

/// An id that no other test of this process uses, and the cache to use it with.
fn fresh() -> u64 {
    static INSTALLED: Once = Once::new();
    static NEXT: AtomicU64 = AtomicU64::new(1);
    INSTALLED.call_once(crate::install);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Counts runs of a body.
#[derive(Debug, Default)]
struct Runs(AtomicUsize);

impl Runs {
    fn note(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

type Found = Result<Option<User>, Shareable>;

/// A cached function with the body of the caller's choice.
#[cached(key = "user:<id>", ttl = "1h", skip(body))]
async fn find_user(id: u64, body: impl AsyncFnOnce() -> Found) -> Found {
    body().await
}

/// A mutation of the same key with the body of the caller's choice.
#[invalidates("user:<id>")]
async fn change_user<R>(id: u64, body: impl AsyncFnOnce() -> R) -> R {
    body().await
}
