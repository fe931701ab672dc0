//! Sleeping, inside a tokio runtime and outside.

use std::time::Duration;

/// Sleeps, on any executor. A thread of `futures-timer` keeps the time, and not tokio: a runtime whose time driver is not
/// enabled would panic, and whether it is cannot be asked. What sleeps here is rare (loads, waits, retries); the timeouts
/// of the Redis store, which each of its steps has, are tokio's.
pub(crate) async fn sleep(duration: Duration) {
    futures_timer::Delay::new(duration).await;
}
