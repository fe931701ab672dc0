//! The kill switch of this process, whether it was thrown during a call, and how many calls have begun that it let through.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::task::Poll;

use cache_runtime::{Mode, global};

use crate::record::Asked;

/// Throws the switch, and counts that.
#[derive(Debug, Default)]
pub(super) struct Switch {
    thrown: AtomicU64,
    /// Held while it is thrown, and while a call begins: a call is counted if it begins while the cache is on.
    still: RwLock<()>,
    begun: AtomicU64,
}

/// How it was at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    mode: Mode,
    thrown: u64,
}

impl Switch {
    /// One at a time.
    pub(super) fn throw(&self, mode: Mode) -> io::Result<()> {
        self.thrown.fetch_add(1, Ordering::SeqCst);
        let _throwing = self.still.write().unwrap_or_else(PoisonError::into_inner);
        global().set_mode(mode).map_err(io::Error::other)
    }

    /// A call for so many keys, which begins when it is first polled.
    pub(super) async fn let_through<T>(
        &self,
        call: impl Future<Output = T>,
        keys: u64,
        asked: Asked,
    ) -> T {
        let mut call = Box::pin(call);
        let first = poll_fn(|context| {
            let _still = self.still.read().unwrap_or_else(PoisonError::into_inner);
            if global().mode() == Mode::On || asked == Asked::OnlyCached {
                self.begun.fetch_add(keys, Ordering::SeqCst);
            }
            Poll::Ready(call.as_mut().poll(context))
        });
        match first.await {
            Poll::Ready(answer) => answer,
            Poll::Pending => call.await,
        }
    }

    /// How many calls have begun so far that it let through; each key of a call for several counts as one.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    pub(super) fn position(&self) -> Position {
        let thrown = self.thrown.load(Ordering::SeqCst);
        let mode = global().mode();
        Position { mode, thrown }
    }

    /// Whether the cache was on all the time since.
    ///
    /// Counted before it is thrown: where the count has not changed, it was thrown once at most, and from or to what is seen.
    pub(super) fn was_on_since(&self, position: Position) -> bool {
        position.mode == Mode::On && self.position() == position
    }
}
