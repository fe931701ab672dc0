//! Where a call is counted.

use crate::cache::Inner;
use crate::site::CallSite;
use crate::stats::Count;

/// Which counters a call adds to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum At {
    /// Those of its cache: it is a direct call.
    Cache,
    /// Those of its call site, which those of the global cache are summed up from.
    Site(&'static CallSite),
    /// Both: its call site names a cache of its own.
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
        match self.at {
            At::Cache => self.inner.counters.add(count),
            At::Site(site) => site.counters.add(count),
            At::Both(site) => {
                site.apart.add(count);
                self.inner.counters.add(count);
            }
        }
    }

    /// The same for each of several keys.
    pub(crate) fn add_for_each(&self, count: Count, keys: usize) {
        for _ in 0..keys {
            self.add(count);
        }
    }
}
