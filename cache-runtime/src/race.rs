//! Futures side by side.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
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

/// Polls two together, and ends when both have.
#[cfg(feature = "redis")]
pub(crate) async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut of_a, mut of_b) = (None, None);
    std::future::poll_fn(move |context| {
        if of_a.is_none()
            && let Poll::Ready(output) = a.as_mut().poll(context)
        {
            of_a = Some(output);
        }
        if of_b.is_none()
            && let Poll::Ready(output) = b.as_mut().poll(context)
        {
            of_b = Some(output);
        }
        match (of_a.take(), of_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (of_a, of_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// Polls all of them together, and ends when each has.
pub(crate) async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures
        .into_iter()
        .map(|future| (Box::pin(future), None))
        .collect();
    std::future::poll_fn(|context| {
        let mut pending = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *output = Some(done),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    running
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

/// Futures that are polled together, and handed out as they end.
pub(crate) struct Pool<F: Future> {
    running: Vec<Pin<Box<F>>>,
    ended: Vec<F::Output>,
}

impl<F: Future> Pool<F> {
    pub(crate) fn of(futures: impl IntoIterator<Item = F>) -> Self {
        Self {
            running: futures.into_iter().map(Box::pin).collect(),
            ended: Vec::new(),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        let mut at = 0;
        while let Some(future) = self.running.get_mut(at) {
            match future.as_mut().poll(context) {
                Poll::Ready(output) => {
                    self.ended.push(output);
                    drop(self.running.swap_remove(at));
                }
                Poll::Pending => at += 1,
            }
        }
    }

    /// Goes on with them for as long as this is polled. Never ends.
    pub(crate) async fn go_on(&mut self) {
        std::future::poll_fn(|context| {
            self.poll(context);
            Poll::<()>::Pending
        })
        .await;
    }

    /// Waits until some have ended, and hands out what those came to; nothing if there are none left.
    pub(crate) async fn some(&mut self) -> Vec<F::Output> {
        std::future::poll_fn(|context| {
            self.poll(context);
            if self.ended.is_empty() && !self.running.is_empty() {
                return Poll::Pending;
            }
            Poll::Ready(std::mem::take(&mut self.ended))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn together_keeps_the_order_and_waits_for_all() {
        let (send, receive) = tokio::sync::oneshot::channel::<()>();
        let mut waiting = Some(receive);
        let mut sending = Some(send);
        let outputs = together((0..3).map(|i| {
            let (waiting, sending) = match i {
                0 => (waiting.take(), None),
                2 => (None, sending.take()),
                _ => (None, None),
            };
            async move {
                if let Some(receive) = waiting {
                    let _ = receive.await;
                }
                drop(sending);
                i
            }
        }))
        .await;
        assert_eq!(outputs, [0, 1, 2]);
    }
}
