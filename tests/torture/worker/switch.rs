//! The kill switch of this process, and whether it was thrown during a call.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use cache_runtime::{Mode, global};

/// Throws the switch, and counts that.
#[derive(Debug, Default)]
pub(super) struct Switch {
    thrown: AtomicU64,
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
        global().set_mode(mode).map_err(io::Error::other)
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
