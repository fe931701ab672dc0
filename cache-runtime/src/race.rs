//! Futures side by side.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use crate::timer;

/// Polls `side` along with `main`, and ends with `main`.
pub(crate) async fn alongside<R>(
    main: impl Future<Output = R>,
    side: impl Future<Output = ()>,
) -> R {
    let (mut main, mut side) = (pin!(main), pin!(side));
    std::future::poll_fn(move |context| {
        let polled = main.as_mut().poll(context);
        if polled.is_pending() {
            // It never ends.
            let _ = side.as_mut().poll(context);
        }
        polled
    })
    .await
}

/// Polls `main` for at most `limit`; `None` if that was not enough.
pub(crate) async fn within<R>(limit: Duration, main: impl Future<Output = R>) -> Option<R> {
    let (mut main, mut limit) = (pin!(main), pin!(timer::sleep(limit)));
    std::future::poll_fn(move |context| {
        if let Poll::Ready(done) = main.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        limit.as_mut().poll(context).map(|()| None)
    })
    .await
}
