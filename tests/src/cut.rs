//! Dropping a future at a chosen await point.

use std::pin::Pin;
use std::task::Poll;

/// Polls a future until it has been pending `times` times, and then drops it; `None` if it was not over before.
///
/// With `times` from 1 until it is over, the future is dropped at each of its await points. That a wake-up from the
/// network may come early does not matter: it makes for another cut at the same point.
pub async fn cut<F: Future>(future: F, times: usize) -> Option<F::Output> {
    halted(future, times).await.ok()
}

/// Polls a future until it has been pending `times` times, and then leaves it where it is.
///
/// # Errors
///
/// With the future, unless it was over before.
pub async fn halted<F: Future>(future: F, times: usize) -> Result<F::Output, Pin<Box<F>>> {
    let mut future = Box::pin(future);
    let mut pending = 0;
    let output = std::future::poll_fn(|context| {
        if pending == times {
            return Poll::Ready(None);
        }
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            pending += 1;
            if pending == times {
                return Poll::Ready(None);
            }
        }
        polled.map(Some)
    })
    .await;
    output.ok_or(future)
}
