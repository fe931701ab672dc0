//! What is stored: which of the values, and for how long.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::outcome::Outcome;
use crate::policy::Policy;

/// Decides about each value that could be stored.
pub trait Selects<T> {
    /// How long it lives; `None` if it is not stored.
    fn ttl_of(&self, value: &T, policy: &Policy) -> Option<Duration>;
}

impl<T, W: Selects<T>> Selects<T> for &W {
    fn ttl_of(&self, value: &T, policy: &Policy) -> Option<Duration> {
        W::ttl_of(self, value, policy)
    }
}

/// Decides by a function of the value whether it is stored, and by another how long it lives.
pub struct Storing<T, W, L> {
    of: PhantomData<fn(&T)>,
    when: W,
    ttl_by: L,
}

/// Every value is stored, for as long as the policy says.
pub(crate) type Every<T> = Storing<T, fn(&T) -> bool, fn(&T, Duration) -> Duration>;

impl<T> Every<T> {
    /// Decides so.
    #[must_use]
    pub const fn value() -> Self {
        Self {
            of: PhantomData,
            when: |_| true,
            ttl_by: |_, ttl| ttl,
        }
    }
}

/// The same for what a function returns.
#[must_use]
pub const fn every<R: Outcome<S>, S>(_: &S) -> Every<R::Value> {
    Every::value()
}

impl<T, W, L> Storing<T, W, L> {
    /// Stores only those that `when` is true for.
    pub fn when<F: Fn(&T) -> bool>(self, when: F) -> Storing<T, F, L> {
        Storing {
            of: PhantomData,
            when,
            ttl_by: self.ttl_by,
        }
    }

    /// Stores each for as long as `ttl_by` says.
    pub fn ttl_by<F: Fn(&T) -> Duration>(
        self,
        ttl_by: F,
    ) -> Storing<T, W, impl Fn(&T, Duration) -> Duration> {
        Storing {
            of: PhantomData,
            when: self.when,
            ttl_by: move |value: &T, _: Duration| ttl_by(value),
        }
    }
}

impl<T, W: Fn(&T) -> bool, L: Fn(&T, Duration) -> Duration> Selects<T> for Storing<T, W, L> {
    fn ttl_of(&self, value: &T, policy: &Policy) -> Option<Duration> {
        (self.when)(value).then(|| (self.ttl_by)(value, policy.ttl()))
    }
}

impl<T, W, L> fmt::Debug for Storing<T, W, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Storing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_be_stored_has_no_ttl() {
        let policy = Policy::new(Duration::from_secs(60));
        assert_eq!(Every::value().ttl_of(&7, &policy), Some(policy.ttl()));
        let even = Every::<u64>::value().when(|n| n % 2 == 0);
        assert_eq!(even.ttl_of(&7, &policy), None);
        assert_eq!(even.ttl_of(&8, &policy), Some(policy.ttl()));
        let own = even.ttl_by(|n| Duration::from_secs(*n));
        assert_eq!(own.ttl_of(&7, &policy), None);
        assert_eq!(own.ttl_of(&8, &policy), Some(Duration::from_secs(8)));
    }
}
