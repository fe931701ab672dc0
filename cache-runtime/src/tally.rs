//! Where a call is counted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cache::Inner;
use crate::error::CacheError;
use crate::site::CallSite;
use crate::stats::{Count, Counters, STANDS_FOR};
use crate::store::Payload;

/// Which counters a call adds to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// Those of its cache: it is a direct call.
    Cache,
    /// Those of its call site, which uses the global cache, and are its part in that.
    Site(&'static CallSite),
    /// Those of its call site, which names the cache, and those of its part in that cache: it may name another next time.
    Both(&'static CallSite),
}

impl At {
    /// Whether both are the same counters, of calls on one cache.
    pub(crate) fn is(self, other: Self) -> bool {
        match (self, other) {
            (Self::Cache, Self::Cache) => true,
            (Self::Site(site), Self::Site(other)) | (Self::Both(site), Self::Both(other)) => {
                std::ptr::eq(site, other)
            }
            _ => false,
        }
    }
}

/// Counts for one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally<'a> {
    inner: &'a Inner,
    at: At,
}

impl<'a> Tally<'a> {
    pub(crate) fn new(inner: &'a Inner, at: At) -> Self {
        Self { inner, at }
    }

    /// Which counters that are.
    pub(crate) fn at(&self) -> At {
        self.at
    }

    #[inline]
    pub(crate) fn add(&self, count: Count) {
        self.add_times(count, 1);
    }

    #[inline]
    pub(crate) fn add_times(&self, count: Count, times: u64) {
        self.for_each(|counters| counters.add_times(count, times));
    }

    /// Counts an operation that the store failed to carry out.
    #[cold]
    pub(crate) fn add_error(&self, error: &CacheError) {
        self.add(Count::store_errors);
        self.add(Count::of(error.kind()));
    }

    /// Counts a call that was answered by a value in this process, and notes how long that took if it is one of those that are timed.
    #[inline]
    pub(crate) fn hit_at_hand(&self, tier: Count, timed: Option<Instant>) {
        self.add(tier);
        if let Some(began) = timed {
            self.time_hit(began, STANDS_FOR);
        }
    }

    /// Notes how long a call took that was answered from the cache, and how many it stands for.
    #[cold]
    fn time_hit(&self, began: Instant, stands_for: u64) {
        let took = began.elapsed();
        self.for_each(|counters| counters.hits.add(took, stands_for));
    }

    /// Counts a run of the body that has come to an end, and notes how long it took.
    pub(crate) fn ends_load(&self, took: Duration, is_error: bool) {
        self.add(if is_error {
            Count::load_errors
        } else {
            Count::loads_ok
        });
        self.for_each(|counters| counters.loads.add(took, 1));
    }

    #[inline]
    fn for_each(&self, mut note: impl FnMut(&Counters)) {
        match self.at {
            At::Cache => note(&self.inner.counters),
            At::Site(site) => note(&site.counters),
            At::Both(site) => {
                note(&site.apart);
                note(self.inner.per_site.of(site).unwrap_or(&self.inner.counters));
            }
        }
    }

    /// Counts the bytes of a value that is encoded.
    pub(crate) fn add_bytes(&self, count: Count, payload: &Payload) {
        if let Payload::Sealed(bytes) = payload {
            self.add_times(count, bytes.len() as u64);
        }
    }

    /// Counts a value that was to be stored.
    pub(crate) fn add_fill(&self, stored: bool) {
        self.add(if stored {
            Count::fills
        } else {
            Count::fills_refused
        });
    }
}

/// A call on its way: counted once, whatever becomes of it.
#[derive(Debug)]
pub(crate) struct Counted<'a> {
    tally: Tally<'a>,
    began: Instant,
    is_over: AtomicBool,
}

impl<'a> Counted<'a> {
    pub(crate) fn new(tally: Tally<'a>) -> Self {
        Self {
            tally,
            began: Instant::now(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Counts it as this, unless it is counted already.
    pub(crate) fn ends_as(&self, count: Count) {
        if self.is_over.swap(true, Ordering::Relaxed) {
            return;
        }
        self.tally.add(count);
        if matches!(count, Count::hits | Count::local_hits | Count::stale_hits) {
            self.tally.time_hit(self.began, 1);
        }
    }

    /// It is no call, or one that is not counted.
    pub(crate) fn ends_uncounted(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.ends_as(Count::cancelled);
    }
}
