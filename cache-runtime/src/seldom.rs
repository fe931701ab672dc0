//! What is told of once in a while, however often it happens.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::lock::lock;

/// Once in so long at most.
#[derive(Debug)]
pub(crate) struct Seldom {
    between: Duration,
    last: Mutex<Option<Instant>>,
}

impl Seldom {
    pub(crate) const fn once_in(between: Duration) -> Self {
        Self {
            between,
            last: Mutex::new(None),
        }
    }

    /// Whether it is time. Whoever is told so does it.
    pub(crate) fn is_due(&self) -> bool {
        let mut last = lock(&self.last);
        let is_due = last.is_none_or(|last| last.elapsed() >= self.between);
        if is_due {
            *last = Some(Instant::now());
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_at_once_and_then_when_the_time_is_over() {
        let seldom = Seldom::once_in(Duration::from_secs(3600));
        assert!(seldom.is_due());
        assert!(!seldom.is_due());
        *lock(&seldom.last) = Instant::now().checked_sub(Duration::from_secs(3600));
        assert!(seldom.is_due());
        assert!(!seldom.is_due());
    }
}
