//! How long a step of the store may take.

use std::time::{Duration, Instant};

/// A time that may be spent, counted from when it was given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) from: Instant,
    limit: Duration,
}

impl Budget {
    /// So much from now on.
    pub(crate) fn of(limit: Duration) -> Self {
        Self {
            from: Instant::now(),
            limit,
        }
    }

    /// When it ends.
    #[cfg(feature = "redis")]
    pub(crate) fn until(self) -> Instant {
        self.from + self.limit
    }

    /// What is left of it.
    pub(crate) fn left(self) -> Duration {
        self.limit.saturating_sub(self.from.elapsed())
    }
}
