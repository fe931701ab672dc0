//! The breaker: while the store does not answer, calls do not ask it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// After this many failures in a row the breaker opens.
pub(crate) const FAILURES: u32 = 5;

/// Closed, it lets every step through and counts the failures in a row. Open, it lets none through: a task asks the
/// store now and then (half-open, one probe at a time), and closes it when the store answers. No caller pays for a probe.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    open: AtomicBool,
    failures: AtomicU32,
}

impl Breaker {
    /// Whether steps are to fail at once.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// The store answered.
    pub(crate) fn succeeded(&self) {
        // A plain load in the good case: no two calls write to one cache line.
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// The store did not answer. `true` if this failure opened the breaker.
    pub(crate) fn failed(&self) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        failures >= FAILURES && !self.open.swap(true, Ordering::Relaxed)
    }

    /// The store answers again.
    pub(crate) fn close(&self) {
        self.failures.store(0, Ordering::Relaxed);
        self.open.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_five_failures_in_a_row_and_says_so_once() {
        let breaker = Breaker::default();
        for _ in 1..FAILURES {
            assert!(!breaker.failed());
        }
        breaker.succeeded();
        for _ in 1..FAILURES {
            assert!(!breaker.failed());
        }
        assert!(breaker.failed());
        assert!(!breaker.failed(), "it is open already");
        assert!(breaker.is_open());
        breaker.close();
        assert!(!breaker.is_open() && !breaker.failed());
    }
}
