//! One call, from its beginning to its end.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;

use super::repository::Failure;
use crate::clock::Moment;
use crate::knobs::PATIENCE;

/// How a call came to its end.
pub(super) enum Outcome<T> {
    Returned(Result<T, Failure>),
    /// Dropped by its caller, at this moment.
    Dropped(Moment),
    Broken(String),
}

/// Runs one call, to be dropped when its caller's patience ends. `own` is what its own load or body may take.
pub(super) async fn run<T>(
    call: impl Future<Output = Result<T, Failure>>,
    patience: Option<Duration>,
    own: Duration,
) -> Outcome<T> {
    let limit = patience.unwrap_or(PATIENCE + own);
    let mut call = Box::pin(AssertUnwindSafe(call).catch_unwind());
    match tokio::time::timeout(limit, call.as_mut()).await {
        Ok(Ok(returned)) => Outcome::Returned(returned),
        Ok(Err(_)) => Outcome::Broken("a panic".to_owned()),
        Err(_) if patience.is_none() => Outcome::Broken(format!("no answer within {limit:?}")),
        Err(_) => {
            let at = Moment::now();
            drop(call);
            Outcome::Dropped(at)
        }
    }
}
