//! The local tier: values of the Redis store that this process keeps for a while.
//!
//! Redis tells which of the keys that were read on a connection have changed since (client tracking). A value is kept only if
//! no such word for its key came since before it was asked for:
//!
//! 1. R takes a stamp and sends `GET`; Redis answers the old value.
//! 2. W invalidates. Redis tells this process, which forgets the key.
//! 3. R has taken the answer apart, and must not keep it: the stamp no longer holds.
//!
//! Whatever could have hidden a word (a connection that ended, an answer that did not come, a flush, another epoch) clears the
//! tier, and with it every stamp. And however late a word may be, a value is kept no longer than `local_ttl`, counted from
//! before it was asked for.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::table::{Kept, Table};
use crate::clock::{Clock, Tick};
use crate::lock::lock;
use crate::outcome::CacheValue;

/// Keys of one stripe share their count of changes: one that changes keeps the others' answers of that moment out, too.
const STRIPES: usize = 256;

/// Values of the Redis store in this process.
pub(crate) struct LocalTier {
    values: Table<()>,
    stripes: [Stripe; STRIPES],
    clears: AtomicU64,
    hasher: RandomState,
    clock: Clock,
}

#[derive(Default)]
struct Stripe {
    /// How often a key of this stripe was forgotten. Held while a value is kept or forgotten.
    changes: Mutex<u64>,
    changed: Notify,
}

/// A moment, as far as one key is concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    changes: u64,
    clears: u64,
    taken: Tick,
}

impl LocalTier {
    /// One that keeps at most `len` values of at most `bytes` together, by the length of their encodings.
    pub(crate) fn new(len: usize, bytes: usize, clock: Clock) -> Self {
        Self {
            values: Table::new(len, bytes as u64, bytes / len.max(1), clock.clone()),
            stripes: std::array::from_fn(|_| Stripe::default()),
            clears: AtomicU64::new(0),
            hasher: RandomState::new(),
            clock,
        }
    }

    /// What `make` makes of the value under a key, if that is of this type and version.
    #[inline]
    pub(crate) fn hit<T: CacheValue, R>(
        &self,
        key: &[u8],
        version: u32,
        make: impl Fn(Option<T>) -> Option<R>,
    ) -> Option<R> {
        let see = |kept: &Arc<Kept>, (): &()| kept.get(version, &make);
        self.values.look(key, see).flatten()
    }

    /// To be taken before a value is asked for that is to be kept.
    pub(crate) fn stamp(&self, key: &[u8]) -> Stamp {
        // The clears first: one that comes between the two is then seen by `keep`.
        let clears = self.clears.load(Ordering::SeqCst);
        Stamp {
            clears,
            changes: *lock(&self.stripe(key).changes),
            taken: self.clock.tick(),
        }
    }

    /// Keeps a value, unless its key may have changed since the stamp was taken.
    pub(crate) fn keep(&self, key: &[u8], kept: Arc<Kept>, stamp: Stamp, ttl: Duration) {
        let changes = lock(&self.stripe(key).changes);
        if self.still_holds(stamp, *changes) {
            self.values.insert(kept, (), stamp.taken.plus(ttl));
        }
    }

    fn still_holds(&self, stamp: Stamp, changes: u64) -> bool {
        stamp.changes == changes && stamp.clears == self.clears.load(Ordering::SeqCst)
    }

    /// A key has changed.
    pub(crate) fn forget(&self, key: &[u8]) {
        let stripe = self.stripe(key);
        {
            let mut changes = lock(&stripe.changes);
            *changes += 1;
            self.values.remove(key);
        }
        stripe.changed.notify_waiters();
    }

    /// Any key may have changed.
    pub(crate) fn clear(&self) {
        self.clears.fetch_add(1, Ordering::SeqCst);
        for stripe in &self.stripes {
            // Who is keeping a value now has not seen the count above, and is through when this is had.
            drop(lock(&stripe.changes));
        }
        self.values.clear();
        for stripe in &self.stripes {
            stripe.changed.notify_waiters();
        }
    }

    /// Waits until a key may have changed since the stamp was taken.
    ///
    /// # Cancel safety
    ///
    /// Nothing happens that could be cut off.
    pub(crate) async fn changed(&self, key: &[u8], stamp: Stamp) {
        let stripe = self.stripe(key);
        loop {
            let mut changed = pin!(stripe.changed.notified());
            // From here on no word is missed.
            changed.as_mut().enable();
            let count = *lock(&stripe.changes);
            if !self.still_holds(stamp, count) {
                return;
            }
            changed.await;
        }
    }

    fn stripe(&self, key: &[u8]) -> &Stripe {
        let stripe = self.hasher.hash_one(key) % STRIPES as u64;
        // Never out of bounds, and no reason to panic if it were.
        let stripe = usize::try_from(stripe).unwrap_or_default();
        self.stripes.get(stripe).unwrap_or(&self.stripes[0])
    }
}

impl fmt::Debug for LocalTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTier")
            .field("values", &self.values.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    const KEY: &[u8] = b"user:1";
    const MINUTE: Duration = Duration::from_secs(60);

    fn keep(tier: &LocalTier, key: &[u8], value: u64, stamp: Stamp) {
        let weight = 100;
        tier.keep(key, Kept::new(key, Some(value), 0, weight), stamp, MINUTE);
    }

    fn hit(tier: &LocalTier, key: &[u8]) -> Option<u64> {
        tier.hit(key, 0, |value| value)
    }

    #[test]
    fn an_answer_that_was_overtaken_is_not_kept() {
        let tier = LocalTier::new(10, 1 << 20, Clock::default());
        let stamp = tier.stamp(KEY);
        keep(&tier, KEY, 1, stamp);
        assert_eq!(hit(&tier, KEY), Some(1));
        tier.forget(KEY);
        assert_eq!(hit(&tier, KEY), None);
        keep(&tier, KEY, 1, stamp);
        assert_eq!(hit(&tier, KEY), None, "asked for before it changed");

        let stamp = tier.stamp(KEY);
        tier.clear();
        keep(&tier, KEY, 2, stamp);
        assert_eq!(hit(&tier, KEY), None, "asked for before all was cleared");
        keep(&tier, KEY, 3, tier.stamp(KEY));
        assert_eq!(hit(&tier, KEY), Some(3));
        assert_eq!(tier.hit::<u64, _>(KEY, 1, |v| v), None, "another version");
        assert_eq!(tier.hit::<String, _>(KEY, 0, |v| v), None, "another type");
    }

    #[test]
    fn it_keeps_no_more_than_its_bounds_say() {
        let len = |tier: &LocalTier, weight| {
            for i in 0..1000_u64 {
                let key = format!("user:{i}");
                let key = key.as_bytes();
                let kept = Kept::new(key, Some(i), 0, weight);
                tier.keep(key, kept, tier.stamp(key), MINUTE);
            }
            tier.values.len()
        };
        let by_number = len(&LocalTier::new(100, 1 << 20, Clock::default()), 10);
        assert!((50..=100).contains(&by_number), "{by_number}");
        let by_bytes = len(&LocalTier::new(100, 100_000, Clock::default()), 10_000);
        assert!((1..=10).contains(&by_bytes), "{by_bytes}");
    }

    #[test]
    fn a_value_expires() {
        let tier = LocalTier::new(10, 1 << 20, Clock::default());
        let stamp = tier.stamp(KEY);
        tier.keep(
            KEY,
            Kept::new(KEY, Some(1_u64), 0, 1),
            stamp,
            Duration::ZERO,
        );
        assert_eq!(hit(&tier, KEY), None);
        assert_eq!(tier.values.len(), 0, "and is gone");
    }

    #[test]
    fn who_waits_for_a_change_misses_none() {
        let tier = LocalTier::new(10, 1 << 20, Clock::default());
        let stamp = tier.stamp(KEY);
        tier.forget(KEY);
        block_on(tier.changed(KEY, stamp));
        let stamp = tier.stamp(KEY);
        tier.clear();
        block_on(tier.changed(KEY, stamp));
    }

    #[test]
    fn keeping_and_forgetting_at_once_leave_nothing_old() {
        let tier = LocalTier::new(10, 1 << 20, Clock::default());
        let newest = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while newest.load(Ordering::SeqCst) < 20_000 {
                        let stamp = tier.stamp(KEY);
                        let read = newest.load(Ordering::SeqCst);
                        keep(&tier, KEY, read, stamp);
                    }
                });
            }
            for version in 1..=20_000 {
                newest.store(version, Ordering::SeqCst);
                if version % 7 == 0 {
                    tier.clear();
                } else {
                    tier.forget(KEY);
                }
                let found = hit(&tier, KEY);
                assert!(
                    found.is_none_or(|found| found >= version),
                    "{found:?} after {version}"
                );
            }
        });
    }
}
