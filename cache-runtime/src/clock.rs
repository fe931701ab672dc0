//! A clock that is read on every local hit: a quarter of the time that reading the precise one takes.

use std::time::Duration;

use coarsetime::Instant;

/// A point in time by the kernel's coarse clock, which moves in steps of 1 to 10 ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u64);

/// The longest time to come that is told apart from any longer one.
const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 10);

impl Tick {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(Instant::now_without_cache_update().as_ticks())
    }

    /// The moment when `time` from now has passed. It is seen up to one step of the clock late.
    pub(crate) fn after(time: Duration) -> Self {
        Self::now().plus(time)
    }

    /// The moment when `time` has passed since this one.
    pub(crate) fn plus(self, time: Duration) -> Self {
        let time = coarsetime::Duration::from(time.min(LONGEST));
        Self(self.0.saturating_add(time.as_ticks()))
    }

    #[inline]
    pub(crate) fn is_over(self) -> bool {
        self <= Self::now()
    }

    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
