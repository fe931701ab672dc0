//! Shadow verification: which hits are held against their source, and how many at a time.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::lock::lock;
use crate::read_through::Rest;
use crate::seldom::Seldom;
use crate::token::Token;

/// A share of the hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u64);

impl Share {
    pub(crate) const NONE: Self = Self(0);

    /// What stands for all.
    const ALL: f64 = 4_294_967_296.0;

    /// Between 0 and 1; what is beyond counts as that.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to 2^32; what is no number is 0"
    )]
    pub(crate) const fn of(share: f64) -> Self {
        Self((share.clamp(0.0, 1.0) * Self::ALL) as u64)
    }

    /// Whether the hit at hand is one of them.
    #[inline]
    pub(crate) fn draws(self) -> bool {
        self != Self::NONE && u64::from(fastrand::u32(..)) < self.0
    }
}

/// The verifications of one cache that run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verifications(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    running: AtomicUsize,
    /// Those that are told of, of those that found a difference.
    told: Seldom,
    /// Values to be looked at later, the earliest first.
    later: Mutex<Vec<Later>>,
}

/// A value that differs from its source, to be looked at when a mutation that was on its way would be over.
#[derive(Debug)]
pub(crate) struct Later {
    pub(crate) due: Instant,
    pub(crate) token: Token,
    pub(crate) rest: Rest,
}

/// How long no other difference is told of. All are counted.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(1);

impl Default for Inner {
    fn default() -> Self {
        Self {
            running: AtomicUsize::new(0),
            told: Seldom::once_in(BETWEEN_WARNINGS),
            later: Mutex::default(),
        }
    }
}

impl Verifications {
    /// How many at a time. Beyond it, a hit is not held against its source.
    const MAX: usize = 100;

    /// One more, unless there are too many.
    pub(crate) fn begin(&self) -> Option<Verification> {
        let running = self.0.running.fetch_add(1, Ordering::Relaxed);
        let one = Verification(self.clone());
        (running < Self::MAX).then_some(one)
    }

    /// Keeps a value, to be looked at later; `false` if there are as many as may run.
    pub(crate) fn keep(&self, value: Later) -> bool {
        let mut later = lock(&self.0.later);
        let has_room = later.len() < Self::MAX;
        if has_room {
            later.push(value);
        }
        has_room
    }

    /// The values that are to be looked at now.
    pub(crate) fn due(&self) -> Vec<Later> {
        let mut later = lock(&self.0.later);
        let now = Instant::now();
        let due = later.partition_point(|value| value.due <= now);
        later.drain(..due).collect()
    }

    /// Whether a difference is to be told of now.
    pub(crate) fn is_to_be_told(&self) -> bool {
        self.0.told.is_due()
    }
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Verification(Verifications);

impl Drop for Verification {
    fn drop(&mut self) {
        self.0.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_drawn_as_often() {
        let drawn = |share| (0..100_000).filter(|_| Share::of(share).draws()).count();
        assert_eq!(drawn(0.0), 0);
        assert_eq!(drawn(f64::NAN), 0);
        assert_eq!(drawn(1.0), 100_000);
        assert_eq!(drawn(7.0), 100_000);
        // Six standard deviations.
        assert!((810..1190).contains(&drawn(0.01)));
    }

    #[test]
    fn no_more_than_a_hundred_run_at_a_time() {
        let verifications = Verifications::default();
        let running: Vec<_> = (0..200).filter_map(|_| verifications.begin()).collect();
        assert_eq!(running.len(), Verifications::MAX);
        drop(running);
        assert!(verifications.begin().is_some());
    }
}
