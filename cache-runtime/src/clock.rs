//! Clocks: by which values, leases and fences in this process grow old.

use std::time::{Duration, Instant, SystemTime};

#[cfg(feature = "test_util")]
use crate::test_util::TestClock;

/// The clock of one cache: that of the machine, or of a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    #[cfg(feature = "test_util")]
    test: Option<TestClock>,
}

impl Clock {
    #[cfg(feature = "test_util")]
    pub(crate) fn of_test(clock: &TestClock) -> Self {
        Self {
            test: Some(clock.clone()),
        }
    }

    /// Now, to a few milliseconds: for what is asked on every local hit.
    #[inline]
    #[cfg_attr(
        not(feature = "test_util"),
        allow(clippy::unused_self, reason = "the machine has but one clock")
    )]
    pub(crate) fn tick(&self) -> Tick {
        #[cfg(feature = "test_util")]
        if let Some(clock) = &self.test {
            return clock.tick();
        }
        Tick::now()
    }

    /// Now, exactly.
    #[cfg_attr(
        not(feature = "test_util"),
        allow(clippy::unused_self, reason = "the machine has but one clock")
    )]
    pub(crate) fn instant(&self) -> Instant {
        #[cfg(feature = "test_util")]
        if let Some(clock) = &self.test {
            return clock.instant();
        }
        Instant::now()
    }

    /// Now, in milliseconds since 1970 (UTC): for what other processes are to understand.
    #[cfg_attr(
        not(feature = "test_util"),
        allow(clippy::unused_self, reason = "the machine has but one clock")
    )]
    pub(crate) fn unix_ms(&self) -> u64 {
        #[cfg(feature = "test_util")]
        if let Some(clock) = &self.test {
            return unix_ms(clock.system_time());
        }
        unix_ms(SystemTime::now())
    }

    /// Whether it moves only when it is told to.
    #[cfg_attr(
        not(feature = "test_util"),
        allow(clippy::unused_self, reason = "there is no such clock then")
    )]
    pub(crate) fn is_of_test(&self) -> bool {
        #[cfg(feature = "test_util")]
        return self.test.is_some();
        #[cfg(not(feature = "test_util"))]
        return false;
    }
}

/// Zero for a clock that is set to a time before 1970.
pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A point in time by the kernel's coarse clock, which moves in steps of 1 to 10 ms: to read it takes a quarter of the time that
/// reading the precise one takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u64);

/// The longest time to come that is told apart from any longer one.
const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 10);

impl Tick {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(coarsetime::Instant::now_without_cache_update().as_ticks())
    }

    /// The moment when `time` has passed since this one. It is seen up to one step of the clock late.
    pub(crate) fn plus(self, time: Duration) -> Self {
        let time = coarsetime::Duration::from(time.min(LONGEST));
        Self(self.0.saturating_add(time.as_ticks()))
    }

    /// How long after another it is; nothing if it is not.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        coarsetime::Duration::from_ticks(self.0.saturating_sub(earlier.0)).into()
    }

    pub(crate) const fn to_bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}
