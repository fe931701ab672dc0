//! How long hits and loads take.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use histogram::{AtomicHistogram, Config, Histogram};
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// Sixteen buckets for each doubling: a value is known to within 6.25 %. Up to 2^40 ns, which is 18 minutes; what takes longer counts as
/// that long.
const CONFIG: Config = match Config::new(4, 40) {
    Ok(config) => config,
    Err(_) => unreachable!(),
};
const LONGEST: u64 = (1 << 40) - 1;

/// How long something took, each time it was done: a histogram with a relative error of 6.25 % at most, from 1 ns to 18 minutes.
///
/// Serialised, it is its count, its total, its mean and some quantiles, in seconds.
///
/// ```
/// let latency = cache_runtime::global().snapshot().total.loads;
/// if let Some(slow) = latency.quantile(0.99) {
///     println!("one load in a hundred takes longer than {slow:?}");
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Latency {
    histogram: Histogram,
    total: Duration,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            histogram: Histogram::with_config(&CONFIG),
            total: Duration::ZERO,
        }
    }
}

impl Latency {
    /// How many times. Where not each of them is timed, one that is stands for as many as are not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.as_slice().iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The arithmetic mean; `None` where nothing was timed.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let mean = u128::checked_div(self.total.as_nanos(), self.count().into())?;
        u64::try_from(mean).ok().map(Duration::from_nanos)
    }

    /// The time that a share of them does not exceed: the upper end of its bucket. `None` where nothing was timed, and for a share that is
    /// not between 0 and 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let bucket = self.histogram.quantile_bucket(share).ok().flatten()?;
        Some(Duration::from_nanos(bucket.end()))
    }

    /// The buckets that are not empty, shortest times first: the longest time in it, and how many.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let buckets = self.histogram.iter().filter(|bucket| bucket.count() > 0);
        buckets.map(|bucket| (Duration::from_nanos(bucket.end()), bucket.count()))
    }

    /// What was added since an earlier reading of the same.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        // Of two readings of one histogram, no bucket of the later is smaller.
        let added = self.histogram.checked_sub(&earlier.histogram);
        Self {
            histogram: added.unwrap_or_else(|_| self.histogram.clone()),
            total: self.total.saturating_sub(earlier.total),
        }
    }
}

impl std::ops::AddAssign<&Latency> for Latency {
    fn add_assign(&mut self, other: &Self) {
        // They have the same buckets, which are too wide to overflow.
        let _ = self.histogram.checked_add_assign(&other.histogram);
        self.total += other.total;
    }
}

impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        let mut latency = serializer.serialize_struct("Latency", 7)?;
        latency.serialize_field("count", &self.count())?;
        latency.serialize_field("total_seconds", &self.total.as_secs_f64())?;
        latency.serialize_field("mean_seconds", &seconds(self.mean()))?;
        latency.serialize_field("p50_seconds", &seconds(self.quantile(0.5)))?;
        latency.serialize_field("p90_seconds", &seconds(self.quantile(0.9)))?;
        latency.serialize_field("p99_seconds", &seconds(self.quantile(0.99)))?;
        latency.serialize_field("max_seconds", &seconds(self.quantile(1.0)))?;
        latency.end()
    }
}

/// The same while it is measured: made when the first time is.
#[derive(Debug)]
pub(crate) struct Timings(OnceLock<Box<Timed>>);

#[derive(Debug)]
struct Timed {
    histogram: AtomicHistogram,
    nanos: AtomicU64,
}

impl Timings {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Notes something that took so long, for as many as it stands for.
    pub(crate) fn add(&self, took: Duration, stands_for: u64) {
        let timed = self.0.get_or_init(|| {
            Box::new(Timed {
                histogram: AtomicHistogram::with_config(&CONFIG),
                nanos: AtomicU64::new(0),
            })
        });
        let nanos = u64::try_from(took.as_nanos())
            .unwrap_or(u64::MAX)
            .min(LONGEST);
        // It is within the bounds.
        let _ = timed.histogram.add(nanos, stands_for);
        let nanos = nanos.saturating_mul(stands_for);
        timed.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Latency {
        self.0.get().map_or_else(Latency::default, |timed| Latency {
            histogram: timed.histogram.load(),
            total: Duration::from_nanos(timed.nanos.load(Ordering::Relaxed)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_sixteenth_of_what_was_timed() {
        let timings = Timings::new();
        for micros in 1..=1000 {
            timings.add(Duration::from_micros(micros), 1);
        }
        let latency = timings.read();
        assert_eq!(latency.count(), 1000);
        assert_eq!(latency.total(), Duration::from_micros(500_500));
        assert_eq!(latency.mean(), Some(Duration::from_nanos(500_500)));
        for (share, exact) in [(0.01, 10), (0.5, 500), (0.99, 990), (1.0, 1000)] {
            let exact = Duration::from_micros(exact);
            let found = latency.quantile(share).unwrap_or_default();
            assert!(
                found >= exact && found <= exact.mul_f64(1.0625),
                "{share}: {found:?}"
            );
        }
        assert_eq!(latency.buckets().map(|(_, count)| count).sum::<u64>(), 1000);
    }

    #[test]
    fn nothing_and_too_much_are_no_error() {
        let timings = Timings::new();
        assert_eq!(timings.read().quantile(0.5), None);
        assert_eq!(timings.read().mean(), None);
        timings.add(Duration::ZERO, 1);
        timings.add(Duration::MAX, 1);
        assert_eq!(
            timings.read().quantile(1.0),
            Some(Duration::from_nanos(LONGEST))
        );
        assert_eq!(timings.read().quantile(2.0), None);
    }

    #[test]
    fn readings_can_be_added_and_subtracted() {
        let timings = Timings::new();
        timings.add(Duration::from_millis(1), 64);
        let earlier = timings.read();
        timings.add(Duration::from_millis(3), 2);
        let later = timings.read();
        let added = later.since(&earlier);
        assert_eq!(
            (added.count(), added.total()),
            (2, Duration::from_millis(6))
        );
        let mut both = added;
        both += &earlier;
        assert_eq!((both.count(), both.total()), (later.count(), later.total()));
    }
}
