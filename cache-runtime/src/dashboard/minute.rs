//! The last minute: what was measured in it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::snapshot::Measured;

const MINUTE: Duration = Duration::from_secs(60);

/// Between two readings that are kept: a minute has a dozen.
const STEP: Duration = Duration::from_secs(5);

/// Readings of the last minute, the oldest first.
#[derive(Default)]
pub(super) struct LastMinute(VecDeque<(Instant, Measured)>);

impl LastMinute {
    /// Takes a reading; what was added in the minute before it, or since somebody looks if that is less, and how long that is.
    pub(super) fn read(&mut self, now: Instant, total: &Measured) -> (Duration, Measured) {
        let age = |reading: Option<&(Instant, Measured)>| {
            reading.map_or(Duration::ZERO, |(at, _)| now.saturating_duration_since(*at))
        };
        // One that another makes up for, or that stands from when somebody looked before.
        while age(self.0.get(1)) >= MINUTE || age(self.0.front()) > MINUTE + 2 * STEP {
            self.0.pop_front();
        }
        if self.0.is_empty() || age(self.0.back()) >= STEP {
            self.0.push_back((now, total.clone()));
        }
        let earliest = self.0.front();
        let added = earliest.map(|(_, earlier)| total.since(earlier));
        (age(earliest), added.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(hits: u64) -> Measured {
        let mut measured = Measured::default();
        measured.stats.hits = hits;
        measured
    }

    #[test]
    fn it_is_what_was_added_in_a_minute() {
        let (mut minute, start) = (LastMinute::default(), Instant::now());
        for second in 0..=300 {
            let now = start + Duration::from_secs(second);
            // Ten hits a second.
            let (span, added) = minute.read(now, &measured(second * 10));
            assert_eq!(added.stats.hits, span.as_secs() * 10);
            let expected = second.min(60)..=second.min(65);
            assert!(expected.contains(&span.as_secs()), "{second}: {span:?}");
            assert!(minute.0.len() <= 14);
        }
    }

    #[test]
    fn it_begins_anew_where_nobody_has_looked_for_a_while() {
        let (mut minute, start) = (LastMinute::default(), Instant::now());
        minute.read(start, &measured(5));
        let (span, added) = minute.read(start + 60 * MINUTE, &measured(5000));
        assert_eq!((span, added.stats.hits), (Duration::ZERO, 0));
    }
}
