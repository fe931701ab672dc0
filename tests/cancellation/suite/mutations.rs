//! Whoever changes something: it is invalidated, however the call ends.

use std::panic::AssertUnwindSafe;

use cache_runtime::{InvalidationError, global, invalidates, transaction, write_through};
use cache_tests::cut;
use futures_util::FutureExt;
use futures_util::future::join;
use tokio::task::yield_now;

use super::{
    BEGUN, FINISHED, HOUR, Source, fresh, in_time, is_delivered, is_free, key, read, turn,
};

#[derive(Debug)]
struct Failure;

impl<T> From<InvalidationError<T>> for Failure {
    fn from(_: InvalidationError<T>) -> Self {
        Self
    }
}

#[invalidates("cancellation:<id>")]
async fn plain(id: u64, source: &Source) {
    source.commit().await;
}

#[invalidates("cancellation:<id>", fence)]
async fn fenced(id: u64, source: &Source) {
    source.commit().await;
}

#[invalidates("cancellation:<id>", on_error = "fail")]
async fn or_fail(id: u64, source: &Source) -> Result<(), Failure> {
    source.commit().await;
    Ok(())
}

#[invalidates("cancellation:<id>", fence, on_error = "fail")]
async fn fenced_or_fail(id: u64, source: &Source) -> Result<(), Failure> {
    source.commit().await;
    Ok(())
}

#[invalidates("cancellation:<id>", "cancellation:<return>")]
async fn by_argument_and_return(id: u64, source: &Source) -> u64 {
    source.commit().await;
    id
}

#[invalidates("cancellation:<return>")]
async fn by_return(id: u64, source: &Source) -> u64 {
    source.commit().await;
    id
}

#[write_through(key = "cancellation:<id>", ttl = "1h", value = |()| 1_u64)]
async fn write_through(id: u64, source: &Source) {
    source.commit().await;
}

async fn put(id: u64, source: &Source) {
    source.commit().await;
    let _ = global().put(&key(id), 1_u64, HOUR).await;
}

async fn invalidate(id: u64, source: &Source) {
    source.commit().await;
    let _ = global().invalidate(&key(id)).await;
}

async fn in_a_transaction(id: u64, source: &Source) {
    transaction(plain(id, source)).await;
}

async fn fenced_in_a_transaction(id: u64, source: &Source) {
    transaction(fenced(id, source)).await;
}

async fn written_through_in_a_transaction(id: u64, source: &Source) {
    transaction(write_through(id, source)).await;
}

#[invalidates("cancellation:<id>")]
async fn change(id: u64) {
    yield_now().await;
}

#[invalidates("cancellation:<id>", fence)]
async fn change_fenced(id: u64) {
    yield_now().await;
}

/// Two mutations side by side, and then the commit.
async fn committing(id: u64, source: &Source) {
    transaction(async {
        join(change(id), change(fresh())).await;
        source.commit().await;
    })
    .await;
}

async fn committing_in_an_inner(id: u64, source: &Source) {
    transaction(async {
        transaction(change(id)).await;
        source.commit().await;
    })
    .await;
}

async fn committing_under_a_fence(id: u64, source: &Source) {
    transaction(async {
        change_fenced(id).await;
        source.commit().await;
    })
    .await;
}

async fn committing_and_invalidating(id: u64, source: &Source) {
    transaction(async {
        source.commit().await;
        let _ = global().invalidate(&key(id)).await;
    })
    .await;
}

/// What a mutation guarantees if its body is cut off half-way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CutOff {
    /// The key is invalidated.
    Invalidated,
    /// And its fence is left to expire, because the commit may still arrive.
    Fenced,
    /// The same, and also if its body has not begun: in a transaction, more may have.
    InDoubt,
    /// Nothing: what is to be invalidated comes after the body.
    Nothing,
}

/// A value of 0 in the cache, before a mutation.
async fn cached_zero(source: &Source) -> u64 {
    let id = fresh();
    assert_eq!(read(id, source).await, 0);
    id
}

/// What must hold when the mutation of `id` is over.
async fn check(id: u64, source: &Source, cut_off: CutOff) {
    let is_cut_off = (BEGUN..FINISHED).contains(&source.progress());
    if is_cut_off && cut_off == CutOff::Nothing {
        return;
    }
    let value = in_time(read(id, source)).await;
    assert_eq!(value, source.value(), "at once in this process");
    is_delivered(id, source).await;
    if source.progress() < BEGUN && cut_off == CutOff::InDoubt {
        return;
    }
    let stands = is_cut_off && matches!(cut_off, CutOff::Fenced | CutOff::InDoubt);
    assert_eq!(is_free(id, source).await, !stands, "{}", source.progress());
}

/// Drops a mutation at each of its await points, in several rounds: in the first of them the store is slower to answer, so
/// that what was the third point for one call may be the first for the next.
async fn dropped<R>(mutation: impl AsyncFn(u64, &Source) -> R, cut_off: CutOff) {
    let _turn = turn().await;
    let mut progress = Vec::new();
    for _ in 0..3 {
        for times in 1.. {
            let source = Source::new();
            let id = cached_zero(&source).await;
            let returned = cut(mutation(id, &source), times).await;
            check(id, &source, cut_off).await;
            if returned.is_some() {
                break;
            }
            progress.push(source.progress());
        }
    }
    for point in BEGUN..FINISHED {
        assert!(progress.contains(&point), "no cut at {point}: {progress:?}");
    }
    let delivery = progress.contains(&FINISHED);
    assert_eq!(delivery, crate::STORE_TAKES_TIME, "{progress:?}");
}

/// Lets a mutation panic at each of its await points.
async fn panicking<R>(mutation: impl AsyncFn(u64, &Source) -> R, cut_off: CutOff) {
    let _turn = turn().await;
    for point in BEGUN..FINISHED {
        let source = Source::panicking_at(point);
        let id = cached_zero(&source).await;
        let panicked = AssertUnwindSafe(mutation(id, &source)).catch_unwind().await;
        assert!(panicked.is_err());
        check(id, &source, cut_off).await;
    }
}

macro_rules! dropped_and_panicking {
    ($($name:ident: $cut_off:ident;)*) => {$(
        mod $name {
            use super::CutOff;

            #[tokio::test]
            async fn dropped() {
                super::dropped(super::$name, CutOff::$cut_off).await;
            }

            #[tokio::test]
            async fn panicking() {
                super::panicking(super::$name, CutOff::$cut_off).await;
            }
        }
    )*};
}
dropped_and_panicking! {
    plain: Invalidated;
    fenced: Fenced;
    or_fail: Invalidated;
    fenced_or_fail: Fenced;
    by_argument_and_return: Invalidated;
    by_return: Nothing;
    write_through: Fenced;
    put: Nothing;
    invalidate: Nothing;
    in_a_transaction: Invalidated;
    fenced_in_a_transaction: InDoubt;
    written_through_in_a_transaction: InDoubt;
    committing: Invalidated;
    committing_in_an_inner: Invalidated;
    committing_under_a_fence: InDoubt;
    committing_and_invalidating: Nothing;
}
