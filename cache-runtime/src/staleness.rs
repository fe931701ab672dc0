//! Values at the end of their TTL: what a call site does with them, and what is stored for that.
//!
//! The words, and what two of the options mean, are those of [RFC 5861](https://www.rfc-editor.org/rfc/rfc5861).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::CacheValue;

/// What a call site does with values near and beyond the end of their TTL: see the options `stale_while_revalidate`,
/// `stale_if_error`, `refresh_ahead` and `timeout` of [`#[cached]`](macro@crate::cached).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Staleness {
    while_revalidate: Duration,
    if_error: Duration,
    ahead: Option<RefreshAhead>,
    timeout: Option<Duration>,
}

/// When a value is refreshed that is still fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefreshAhead {
    /// When so many thousandths of its TTL have passed.
    PerMille(u32),
    /// The earlier the longer it took to load, by chance: with `delta` the time that the load took, a call at `now` refreshes if
    /// `now - delta * ln(random) >= expiry`.
    ///
    /// A. Vattani, F. Chierichetti, K. Lowenstein: *Optimal Probabilistic Cache Stampede Prevention*, VLDB 2015, with its β = 1.
    XFetch,
}

impl Staleness {
    /// As the macros write it down.
    #[doc(hidden)]
    pub const fn new() -> Self {
        Self {
            while_revalidate: Duration::ZERO,
            if_error: Duration::ZERO,
            ahead: None,
            timeout: None,
        }
    }

    #[doc(hidden)]
    pub const fn while_revalidate(mut self, time: Duration) -> Self {
        self.while_revalidate = time;
        self
    }

    #[doc(hidden)]
    pub const fn if_error(mut self, time: Duration) -> Self {
        self.if_error = time;
        self
    }

    #[doc(hidden)]
    pub const fn ahead(mut self, ahead: RefreshAhead) -> Self {
        self.ahead = Some(ahead);
        self
    }

    #[doc(hidden)]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long after its TTL a value is still returned, at once, while it is refreshed. Zero without `stale_while_revalidate`.
    #[must_use]
    pub const fn stale_while_revalidate(&self) -> Duration {
        self.while_revalidate
    }

    /// How long after its TTL a value is returned if its load fails. Zero without `stale_if_error`.
    #[must_use]
    pub const fn stale_if_error(&self) -> Duration {
        self.if_error
    }

    /// When a value is refreshed that is still fresh; `None` without `refresh_ahead`.
    #[must_use]
    pub const fn refresh_ahead(&self) -> Option<RefreshAhead> {
        self.ahead
    }

    /// How long a call with a stale value at hand waits for a load; `None` without `timeout`.
    #[must_use]
    pub const fn soft_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// How long after its TTL a value is kept.
    pub(crate) fn kept(&self) -> Duration {
        self.while_revalidate.max(self.if_error)
    }
}

/// How old a value is, as it is stored with it: in milliseconds, by the clock of the process that loaded it.
///
/// Clocks of two processes that differ shift the end of freshness by their difference. How long the value stands at all is told
/// by the store alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Age {
    /// Since 1970 (UTC).
    pub(crate) fresh_until: u64,
    pub(crate) fresh_for: u32,
    pub(crate) loaded_in: u32,
}

/// A value, or its absence, as a store in this process keeps it with its age.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "T: CacheValue", deserialize = "T: CacheValue"))]
pub(crate) struct Aged<T> {
    pub(crate) age: Age,
    pub(crate) value: Option<T>,
}

/// What a value is to a call site at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// To be returned.
    Fresh,
    /// To be returned, and to be refreshed.
    Due,
    /// Past its TTL; to be returned, and to be refreshed.
    Stale,
    /// Past its TTL; to be returned if a load fails.
    Held,
    /// As good as absent.
    Over,
}

impl Age {
    pub(crate) const LEN: usize = 16;

    /// That of a value which took so long to load and is fresh for so long from now on.
    pub(crate) fn new(now_ms: u64, fresh_for: Duration, loaded_in: Duration) -> Self {
        let fresh_ms = u64::try_from(fresh_for.as_millis()).unwrap_or(u64::MAX);
        Self {
            fresh_until: now_ms.saturating_add(fresh_ms),
            fresh_for: u32::try_from(fresh_ms).unwrap_or(u32::MAX),
            loaded_in: u32::try_from(loaded_in.as_millis()).unwrap_or(u32::MAX),
        }
    }

    /// How long ago the value was stored, in milliseconds.
    pub(crate) fn of_now(self, now_ms: u64) -> u64 {
        let stored = self.fresh_until.saturating_sub(self.fresh_for.into());
        now_ms.saturating_sub(stored)
    }

    pub(crate) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&self.fresh_until.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.fresh_for.to_be_bytes());
        bytes[12..].copy_from_slice(&self.loaded_in.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let all = u128::from_be_bytes(bytes);
        #[allow(
            clippy::cast_possible_truncation,
            reason = "the halves and quarters of it"
        )]
        Self {
            fresh_until: (all >> 64) as u64,
            fresh_for: (all >> 32) as u32,
            loaded_in: all as u32,
        }
    }

    /// What the value is to a call site that does so with its values, `now` in milliseconds since 1970.
    pub(crate) fn freshness(self, now: u64, staleness: Option<&Staleness>) -> Freshness {
        let staleness = staleness.copied().unwrap_or_default();
        if now < self.fresh_until {
            return match staleness.ahead {
                Some(ahead) if self.is_due(now, ahead) => Freshness::Due,
                _ => Freshness::Fresh,
            };
        }
        let past = Duration::from_millis(now - self.fresh_until);
        if past < staleness.while_revalidate {
            Freshness::Stale
        } else if past < staleness.if_error {
            Freshness::Held
        } else {
            Freshness::Over
        }
    }

    fn is_due(self, now: u64, ahead: RefreshAhead) -> bool {
        let lead = match ahead {
            RefreshAhead::PerMille(passed) => {
                f64::from(self.fresh_for) * (1.0 - f64::from(passed) / 1000.0)
            }
            // 1 - [0, 1): its logarithm is a number.
            RefreshAhead::XFetch => -f64::from(self.loaded_in) * (1.0 - fastrand::f64()).ln(),
        };
        let lead = Duration::try_from_secs_f64(lead / 1000.0).unwrap_or(Duration::MAX);
        Duration::from_millis(self.fresh_until.saturating_sub(now)) <= lead
    }

    /// How long the value is used without a question, from `now` on: until its refresh is due at the earliest.
    pub(crate) fn undisturbed(self, now: u64, staleness: Option<&Staleness>) -> Duration {
        let left = Duration::from_millis(self.fresh_until.saturating_sub(now));
        match staleness.and_then(|staleness| staleness.ahead) {
            None => left,
            Some(RefreshAhead::PerMille(passed)) => {
                let share = 1.0 - f64::from(passed.min(1000)) / 1000.0;
                left.saturating_sub(Duration::from_millis(self.fresh_for.into()).mul_f64(share))
            }
            // Each call draws anew.
            Some(RefreshAhead::XFetch) => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const NOW: u64 = 1_700_000_000_000;

    const ALL: Staleness = Staleness::new()
        .while_revalidate(SECOND)
        .if_error(Duration::from_secs(3))
        .ahead(RefreshAhead::PerMille(900));

    #[test]
    fn a_value_goes_through_its_ages() {
        let age = Age::new(NOW, Duration::from_secs(10), SECOND);
        let at = |ms: u64, staleness| age.freshness(NOW + ms, staleness);
        for (ms, with_all, with_none) in [
            (0, Freshness::Fresh, Freshness::Fresh),
            (8_999, Freshness::Fresh, Freshness::Fresh),
            (9_000, Freshness::Due, Freshness::Fresh),
            (9_999, Freshness::Due, Freshness::Fresh),
            (10_000, Freshness::Stale, Freshness::Over),
            (10_999, Freshness::Stale, Freshness::Over),
            (11_000, Freshness::Held, Freshness::Over),
            (12_999, Freshness::Held, Freshness::Over),
            (13_000, Freshness::Over, Freshness::Over),
        ] {
            assert_eq!(
                (at(ms, Some(&ALL)), at(ms, None)),
                (with_all, with_none),
                "after {ms} ms"
            );
        }
        assert_eq!(age.undisturbed(NOW, None), Duration::from_secs(10));
        assert_eq!(age.undisturbed(NOW, Some(&ALL)), Duration::from_secs(9));
        assert_eq!(age.undisturbed(NOW + 20_000, Some(&ALL)), Duration::ZERO);
        assert_eq!(ALL.kept(), Duration::from_secs(3));
    }

    #[test]
    fn bytes_are_read_as_they_were_written() {
        let age = Age::new(NOW, Duration::from_secs(10), SECOND);
        assert_eq!(Age::from_bytes(age.to_bytes()), age);
        let longest = Age::new(u64::MAX, Duration::MAX, Duration::MAX);
        assert_eq!(Age::from_bytes(longest.to_bytes()), longest);
    }

    /// The share of calls that refresh `delta` before the end is `1/e`, by the formula of the paper.
    #[test]
    fn xfetch_refreshes_by_chance_the_earlier_the_longer_a_load_takes() {
        let age = Age::new(NOW, Duration::from_secs(10), SECOND);
        let xfetch = Staleness::new().ahead(RefreshAhead::XFetch);
        let due = |before_end: u64| {
            let at = age.fresh_until - before_end;
            let draws = (0..10_000).filter(|_| age.freshness(at, Some(&xfetch)) == Freshness::Due);
            draws.count()
        };
        assert!((3_300..4_100).contains(&due(1_000)), "1/e of the draws");
        assert!(due(10_000) < 50 && due(1) > 9_900);
    }
}
