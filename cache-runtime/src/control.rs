//! Control of single calls: by the future that they are awaited in.
//!
//! What was asked for stands in a cell of the thread, set around each poll of that future and restored after it. So it holds for
//! whatever is polled inside, on every executor, and for nothing else: a task that was spawned inside is polled elsewhere.
//!
//! In a program that has not used it, an annotated call does not look: [`Annotations`](crate::switch::Annotations) tells.

use std::cell::Cell;
use std::task::Poll;

use crate::switch;
use crate::transaction;

/// What was asked for around the code that runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing: calls go as they always do.
    Nothing,
    /// To leave the cache alone.
    Bypass,
    /// To load, and to replace what is cached.
    Refresh,
    /// Not to load.
    OnlyCached,
    /// Nothing, [within a transaction](crate::transaction): not to store what is loaded.
    Transaction,
    /// To load, and to have what is cached replaced, within a transaction.
    RefreshInTransaction,
}

impl Asked {
    /// Whether a call of which this is asked leaves the cache alone: it neither looks at it nor stores anything.
    pub(crate) fn is_bypass(self) -> bool {
        matches!(self, Self::Bypass | Self::RefreshInTransaction)
    }

    /// The same within a transaction.
    pub(crate) fn within_transaction(self) -> Self {
        match self {
            Self::Nothing => Self::Transaction,
            Self::Refresh => Self::RefreshInTransaction,
            asked => asked,
        }
    }
}

thread_local! {
    static ASKED: Cell<Asked> = const { Cell::new(Asked::Nothing) };
    /// Whether a call within the innermost [`only_cached`] had nothing to answer with.
    static UNANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// What is asked of a call that begins now.
#[inline]
pub(crate) fn asked() -> Asked {
    ASKED.get()
}

/// Asks for something else. Returns what was asked for before, to be restored.
pub(crate) fn ask(asked: Asked) -> Asked {
    ASKED.replace(asked)
}

/// Whether anything is. Not inlined: the compiler would look before it knows that this is to be asked, on every call.
#[inline(never)]
pub(crate) fn is_anything_asked() -> bool {
    asked() != Asked::Nothing
}

/// One poll of a future within which something is asked for. What was asked for around it holds again afterwards, also after a
/// panic.
struct Scope {
    asked_around: Asked,
    unanswered_around: bool,
}

impl Scope {
    fn enter(asked: Asked) -> Self {
        let asked = if transaction::is_around() {
            asked.within_transaction()
        } else {
            asked
        };
        Self {
            asked_around: ASKED.replace(asked),
            unanswered_around: UNANSWERED.replace(false),
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        ASKED.set(self.asked_around);
        UNANSWERED.set(self.unanswered_around);
    }
}

async fn within<F: Future>(asked: Asked, future: F) -> F::Output {
    switch::control_annotations();
    // Boxed: what is pinned in here would stand twice in this future, and four times in one around it.
    let mut future = Box::pin(future);
    std::future::poll_fn(move |context| {
        let _scope = Scope::enter(asked);
        future.as_mut().poll(context)
    })
    .await
}

/// Lets every cached call within `future` run its body, without a look at the cache and without a fill: for a read that must come
/// from the source.
///
/// This holds for annotated functions and for [`Cache::get_or_load`](crate::Cache::get_or_load) and its like; also for calls that
/// a body makes, and for all branches of a `join!` or `select!` inside. It does not hold for a task that is spawned inside, and
/// not for [`Cache::get`](crate::Cache::get) and [`Cache::put`](crate::Cache::put), which say what they do. Of
/// several such controls around a call, the innermost holds. What holds is read when a call begins.
///
/// What is invalidated inside is invalidated, as always. Such calls are counted as
/// [`bypasses_asked`](crate::Stats::bypasses_asked).
///
/// # Cancel safety
///
/// That of `future`.
///
/// ```
/// # use cache_runtime::cached;
/// #[cached(key = "balance:<account>", ttl = "1m")]
/// async fn balance(account: u64) -> i64 {
///     // SQL
/// #   i64::try_from(account).unwrap_or_default()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // A page may be a minute old; a payment must not be.
/// let exact = cache_runtime::bypass(balance(7)).await;
/// # assert_eq!(exact, 7);
/// # assert_eq!(cache_runtime::global().stats().bypasses_asked, 1);
/// # }
/// ```
pub async fn bypass<F: Future>(future: F) -> F::Output {
    within(Asked::Bypass, future).await
}

/// Lets every cached call within `future` load, and puts what it loaded in the place of what is cached: for data that changed
/// where no `#[invalidates]` saw it, or to warm a cache.
///
/// Where it holds, and where not, is as for [`bypass`].
///
/// When a call inside has returned a value, it is as if the key had been invalidated just before, except that the new value
/// stands there in most cases: no cached read that starts later, in any process, returns a value loaded before the call began.
/// So a value that cannot be stored (`None` without `none_ttl`, one that is too large) drops the older one all the same. If the store
/// does not answer, the older value is dropped when it does; until then this process reads past the cache for the key.
///
/// An `Err` is returned and changes nothing: an older value stays. While the cache is [off](crate::Mode), this is the plain
/// call.
///
/// # Concurrent calls on the same key
///
/// - Others are answered with the older value until it is replaced; none of them waits.
/// - A load that is under way when the call begins may have read the source before, so it is not waited for: it is
///   returned to those who wait for it, and not stored.
/// - An invalidation while the call loads comes first: what was loaded is returned, and not stored.
/// - Each of several such calls loads. Only where a key was empty may one be answered by a load that another began meanwhile.
///
/// # Cancel safety
///
/// That of `future`. A call that is dropped while it loads leaves the older value; while it stores, either of the two.
///
/// ```
/// # use cache_runtime::cached;
/// # static VERSION: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
/// #[cached(key = "plans", ttl = "1h")]
/// async fn plans() -> u64 {
///     // SQL
/// #   VERSION.load(std::sync::atomic::Ordering::Relaxed)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # assert_eq!(plans().await, 1);
/// # VERSION.store(2, std::sync::atomic::Ordering::Relaxed);
/// // After an import:
/// assert_eq!(cache_runtime::refresh(plans()).await, 2);
/// assert_eq!(plans().await, 2);
/// # assert_eq!(cache_runtime::global().stats().loads, 2);
/// # }
/// ```
pub async fn refresh<F: Future>(future: F) -> F::Output {
    within(Asked::Refresh, future).await
}

/// Answers from the cache alone: `None` as soon as a cached call within `future` would have to load. Its body does not run, and
/// `future` is dropped.
///
/// A call has nothing to answer with if its value is not cached, cannot be read, is being loaded (nobody's load is waited for), or
/// is being mutated; if the store does not answer within its budget; and while the cache is [off](crate::Mode). Each is
/// counted as [`unanswered`](crate::Stats::unanswered).
///
/// Where it holds, and where not, is as for [`bypass`]. One call without an answer is enough, also in a branch of a `join!` or
/// `select!` whose other branches are done. What `future` did up to there was done: the body of an `#[invalidates]` function runs as
/// always, and one that is dropped at an await invalidates. Other work of `future` is awaited as always.
///
/// A call must be awaited: one that is blocked on inside (`block_on`) and has nothing to answer with does not come back.
///
/// # Cancel safety
///
/// That of `future`.
///
/// ```
/// # use cache_runtime::cached;
/// #[cached(key = "dashboard:<user>", ttl = "5m")]
/// async fn dashboard(user: u64) -> String {
///     // Slow SQL
/// #   format!("of {user}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // Under load: what is at hand, or nothing.
/// assert_eq!(cache_runtime::only_cached(dashboard(1)).await, None);
/// dashboard(1).await;
/// assert_eq!(cache_runtime::only_cached(dashboard(1)).await.as_deref(), Some("of 1"));
/// # }
/// ```
pub async fn only_cached<F: Future>(future: F) -> Option<F::Output> {
    switch::control_annotations();
    // Boxed: what is pinned in here would stand twice in this future, and four times in one around it.
    let mut future = Box::pin(future);
    std::future::poll_fn(move |context| {
        let _scope = Scope::enter(Asked::OnlyCached);
        let polled = future.as_mut().poll(context);
        if UNANSWERED.get() {
            return Poll::Ready(None);
        }
        polled.map(Some)
    })
    .await
}

/// Tells the [`only_cached`] around this call that it has nothing to answer with, and waits to be dropped.
///
/// Ends if the call has been carried out of there and is polled elsewhere: whoever awaits it then must not wait for ever.
pub(crate) async fn unanswered() {
    std::future::poll_fn(|context| {
        if asked() != Asked::OnlyCached {
            return Poll::Ready(());
        }
        UNANSWERED.set(true);
        // 1. Two await one call (a `Shared`), the first of them within `only_cached`.
        // 2. The first polls it: it comes here. Then the first is given `None`, and polls no more.
        // 3. Without this, nobody would tell the second to poll.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake, Waker};

    use futures_executor::block_on;

    use super::*;

    fn asked_in_here() -> impl Future<Output = Asked> {
        std::future::poll_fn(|_| Poll::Ready(asked()))
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_innermost_holds_and_the_outer_holds_again() {
        block_on(async {
            assert_eq!(asked(), Asked::Nothing);
            let seen = refresh(async {
                let inner = bypass(asked_in_here()).await;
                let only = only_cached(asked_in_here()).await;
                (inner, only, asked())
            });
            let all = (Asked::Bypass, Some(Asked::OnlyCached), Asked::Refresh);
            assert_eq!(seen.await, all);
            assert_eq!(asked(), Asked::Nothing);
        });
    }

    /// Two futures that take turns on one thread.
    #[test]
    fn it_holds_while_its_future_is_polled_and_not_between() {
        let mut turns = 0;
        let mut inside = pin!(bypass(std::future::poll_fn(|_| {
            assert_eq!(asked(), Asked::Bypass);
            turns += 1;
            if turns < 3 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })));
        while poll(inside.as_mut()).is_pending() {
            assert_eq!(asked(), Asked::Nothing);
        }
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let panicking = async {
            let _ = poll(pin!(unanswered()));
            assert!(!UNANSWERED.get(), "as planned");
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| block_on(only_cached(panicking))));
        assert!(panicked.is_err());
        assert_eq!((asked(), UNANSWERED.get()), (Asked::Nothing, false));
    }

    #[test]
    fn one_call_without_an_answer_is_enough_and_concerns_the_innermost() {
        block_on(async {
            let outer = only_cached(async {
                let inner = only_cached(async {
                    // Another branch is done in the same poll.
                    let mut call = pin!(unanswered());
                    let _ = poll(call.as_mut());
                    1
                });
                (inner.await, 2)
            });
            assert_eq!(outer.await, Some((None, 2)));
        });
    }

    #[test]
    fn a_call_that_was_carried_out_goes_on_and_whoever_awaits_it_is_told() {
        #[derive(Default)]
        struct Told(AtomicBool);
        impl Wake for Told {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let told = Arc::new(Told::default());
        let waker = Waker::from(told.clone());
        let mut call = pin!(unanswered());
        block_on(only_cached(async {
            let polled = call.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }));
        assert!(told.0.load(Ordering::SeqCst));
        assert!(poll(call).is_ready());
    }
}
