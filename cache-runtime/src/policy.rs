//! How long a value lives, and which values count as the same.

use std::time::Duration;

use crate::staleness::Staleness;
use crate::storing::Selects;
use crate::verify::Share;

/// What is stored under a key, and for how long.
///
/// ```
/// use std::time::Duration;
/// use cache_runtime::Policy;
///
/// const USERS: Policy = Policy::new(Duration::from_secs(3600)).version(2);
/// assert_eq!(USERS.ttl(), Duration::from_secs(3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Policy {
    ttl: Duration,
    none_ttl: Option<Duration>,
    local_ttl: Option<Duration>,
    version: u32,
    is_tagged: bool,
    staleness: Option<&'static Staleness>,
    verify: Share,
}

impl Policy {
    /// Values live for `ttl`, less a jitter of at most 10 %, so that what was filled together does not expire
    /// together; never longer. The resolution is one millisecond; a value with a shorter TTL is not stored.
    pub const fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            none_ttl: None,
            local_ttl: None,
            version: 0,
            is_tagged: false,
            staleness: None,
            verify: Share::NONE,
        }
    }

    /// Stores an absent value (`None`) as well, for `ttl`. Without this an absent value is never stored.
    pub const fn none_ttl(mut self, ttl: Duration) -> Self {
        self.none_ttl = Some(ttl);
        self
    }

    /// Keeps values of the Redis store in this process as well, decoded, for at most `ttl`, counted from before they were read;
    /// and never longer than a value lives by the other settings.
    ///
    /// A hit there asks nobody. The price: after an invalidation by another process, this one may return the older value
    /// until it has been told (a fraction of a millisecond on a local network, see the
    /// [guide on the protocol](crate::guide::protocol)), and for `ttl` at most, whatever happens. An invalidation by this process is
    /// in force here when it returns. The embedded store keeps everything in this process, so this changes nothing there.
    pub const fn local_ttl(mut self, ttl: Duration) -> Self {
        self.local_ttl = Some(ttl);
        self
    }

    /// Marks what this call site stores: a value of another version is a miss. Raise it when the meaning of a value
    /// changes and its shape does not. Invalidations reach every version.
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Holds this share of the hits, between 0 and 1, against their source: such a hit also runs the body, compares what that returns with
    /// what was cached, and counts and logs a difference that nothing has invalidated within a second. Nothing else depends on it.
    ///
    /// So promise 1, no stale value after an invalidation, is measured in production: what changes the source and has no
    /// `#[invalidates]`, such as a script or another service, is found. [`Stats`](crate::Stats) counts `verified`, `mismatches` and
    /// `unverified`; the log tells of one difference a second, with the function, the template, and `age_at_most_seconds`: the age that the
    /// value carries, or else the longest that it can have if it was stored for the TTL that it would be stored for now.
    ///
    /// - The caller gets what was cached, and waits for the body, [`CacheConfig::wait`](crate::CacheConfig::wait) at most; its errors and panics are its own. Where
    ///   values are [refreshed in the background](crate::Staleness), nobody waits. At most 100 verifications of a cache run at a time.
    /// - Two values are the same if they serialise to the same, whatever the order of sequences and maps: a `HashSet` has none.
    /// - Values that may be stale are not verified: those past their TTL, of calls within [`only_cached`](crate::only_cached),
    ///   [`transaction`](crate::transaction()) and the like, and those of `batch`. With a [local tier](Self::local_ttl), what Redis holds is verified.
    /// - The source is to be the one that mutations are made in. A body that reads from a replica which lags behind, or in a transaction whose
    ///   snapshot is older than the cached value, finds something older than that, and a difference which is no stale value.
    /// - Outside of a tokio runtime nobody is there to look a second later: the next verification of the cache does that, of 100 values
    ///   at most.
    /// - A mutation that takes longer than a second from its commit to its return is taken for a missing one, unless it has a fence.
    ///
    /// [`CacheConfig::verify`](crate::CacheConfig::verify) is the same for all calls of a cache; of both the larger counts.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use cache_runtime::Policy;
    ///
    /// const USERS: Policy = Policy::new(Duration::from_secs(3600)).verify(0.001);
    /// ```
    pub const fn verify(mut self, share: f64) -> Self {
        self.verify = Share::of(share);
        self
    }

    /// Whether to hold the hit at hand against its source, if this share of all hits is held anyway.
    #[inline]
    pub(crate) fn is_to_be_verified(&self, share: Share) -> bool {
        self.verify.max(share).draws()
    }

    /// The same for values that are stored with tags.
    #[doc(hidden)]
    pub const fn tagged(mut self) -> Self {
        self.is_tagged = true;
        self
    }

    pub(crate) const fn is_tagged(&self) -> bool {
        self.is_tagged
    }

    /// The same for values that may be used beyond their TTL, or are refreshed before its end.
    #[doc(hidden)]
    pub const fn staleness(mut self, staleness: &'static Staleness) -> Self {
        self.staleness = Some(staleness);
        self
    }

    /// What is done with values at the end of their TTL; `None` if they are gone then.
    #[must_use]
    pub const fn beyond_ttl(&self) -> Option<&'static Staleness> {
        self.staleness
    }

    /// The same for values that live for another time.
    pub(crate) const fn living(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long a value lives at most. Zero for a call site whose every call or value says so itself (`ttl = <expression>`, `ttl_by`).
    #[must_use]
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How long an absent value lives at most; `None` if it is not stored.
    #[must_use]
    pub const fn ttl_of_none(&self) -> Option<Duration> {
        self.none_ttl
    }

    /// How long a value of the Redis store is kept in this process at most; `None` if it is not.
    #[must_use]
    pub const fn ttl_in_process(&self) -> Option<Duration> {
        self.local_ttl
    }

    pub(crate) const fn is_local(&self) -> bool {
        self.local_ttl.is_some()
    }

    /// How long this value may be kept in this process.
    pub(crate) fn local_ttl_of<T>(
        &self,
        value: Option<&T>,
        storing: &impl Selects<T>,
    ) -> Option<Duration> {
        let ttl = match value {
            Some(value) => storing.ttl_of(value, self)?,
            None => self.none_ttl?,
        };
        Some(self.local_ttl?.min(ttl))
    }

    pub(crate) const fn site_version(&self) -> u32 {
        self.version
    }
}

/// The share of a TTL that jitter takes away at most.
const JITTER: f64 = 0.1;

/// Shortens `ttl` by a random share of at most 10 %.
pub(crate) fn jittered(ttl: Duration) -> Duration {
    ttl.mul_f64(1.0 - JITTER * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_shortens_by_a_tenth_at_most_and_never_lengthens() {
        let ttl = Duration::from_secs(3600);
        let drawn: Vec<_> = (0..1000).map(|_| jittered(ttl)).collect();
        assert!(
            drawn
                .iter()
                .all(|d| *d <= ttl && *d >= ttl.mul_f64(1.0 - JITTER))
        );
        assert!(drawn.iter().any(|d| *d != drawn[0]), "all the same");
    }
}
