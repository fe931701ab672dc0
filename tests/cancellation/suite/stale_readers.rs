//! Whoever replaces a stale value: the right to do so is given back, or handed on.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cache_runtime::{cached, only_cached};
use cache_tests::{cut, eventually};
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::{LOADED, LOADING, Source, fresh, in_time, read, turn};

/// Stale at once, and for an hour.
#[cached(
    key = "cancellation:<id>",
    ttl = "2ms",
    stale_while_revalidate = "1h",
    refresh = "inline",
    skip(source)
)]
async fn inline(id: u64, source: &Arc<Source>) -> u64 {
    source.load().await
}

#[cached(
    key = "cancellation:<id>",
    ttl = "2ms",
    stale_while_revalidate = "1h",
    skip(source)
)]
async fn background(id: u64, source: &Arc<Source>) -> u64 {
    source.load().await
}

#[cached(
    key = "cancellation:<id>",
    ttl = "2ms",
    stale_if_error = "1h",
    skip(source)
)]
async fn if_error(id: u64, source: &Arc<Source>) -> Result<u64, ()> {
    Ok(source.load().await)
}

async fn held(id: u64, source: &Arc<Source>) -> u64 {
    if_error(id, source).await.expect("it never fails")
}

/// A stale 0 of a source that has a 1 by now.
async fn stale(
    source: Source,
    reader: impl AsyncFn(u64, &Arc<Source>) -> u64,
) -> (u64, Arc<Source>) {
    let (id, source) = (fresh(), Arc::new(source));
    let point = source.panics_at.swap(0, Ordering::SeqCst);
    assert_eq!(in_time(reader(id, &source)).await, 0);
    eventually("it is stale", async || {
        only_cached(read(id, &source)).await.is_none()
    })
    .await;
    source.value.store(1, Ordering::SeqCst);
    source.panics_at.store(point, Ordering::SeqCst);
    (id, source)
}

async fn is_replaced(
    id: u64,
    source: &Arc<Source>,
    reader: impl AsyncFn(u64, &Arc<Source>) -> u64,
) {
    eventually("the value is replaced", async || {
        in_time(reader(id, source)).await == 1
    })
    .await;
}

/// How many loads had begun, the first one included, when it was dropped.
async fn alone(reader: impl AsyncFn(u64, &Arc<Source>) -> u64) -> Vec<usize> {
    let _turn = turn().await;
    let mut loads = Vec::new();
    for times in 1.. {
        let (id, source) = stale(Source::new(), &reader).await;
        let value = cut(reader(id, &source), times).await;
        loads.push(source.loads());
        is_replaced(id, &source, &reader).await;
        if value.is_some() {
            break;
        }
    }
    loads
}

async fn panicking(reader: impl AsyncFn(u64, &Arc<Source>) -> u64) {
    let _turn = turn().await;
    for point in [LOADING, LOADED] {
        let (id, source) = stale(Source::panicking_at(point), &reader).await;
        let all = (0..3).map(|_| AssertUnwindSafe(reader(id, &source)).catch_unwind());
        let results = in_time(join_all(all)).await;
        assert!(results.iter().filter(|result| result.is_err()).count() <= 1);
        is_replaced(id, &source, &reader).await;
        assert!(source.has_failed.load(Ordering::SeqCst));
    }
}

macro_rules! readers {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn alone() {
                let loads = super::alone(super::$name).await;
                assert!(loads.contains(&2), "cut while it loaded: {loads:?}");
            }

            #[tokio::test]
            async fn panicking() {
                super::panicking(super::$name).await;
            }
        }
    )*};
}
readers! {
    inline
    held
}

/// The call is dropped, and its refresh goes on.
#[tokio::test]
async fn a_refresh_in_the_background() {
    alone(background).await;
    panicking(background).await;
}
