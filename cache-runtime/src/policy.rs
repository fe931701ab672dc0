//! How long a value lives, and which values count as the same.

use std::time::Duration;

use crate::staleness::Staleness;
use crate::storing::Selects;

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
