//! The embedded store: slots in this process.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::Payload;
use super::table::{Kept, Table};
use crate::census::{Sample, Whose};
use crate::clock::Clock;
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::outcome::CacheValue;
use crate::slot::{Reply, Slot, Step, Token, apply};

/// Steps on keys of one stripe take turns. A hit takes no part in it.
const STRIPES: usize = 64;

/// Slots in this process. Values are kept as they are, bounded by their number, each with the token it was stored with. Leases and fences stand beside them, where nothing is evicted: there are no more of them than running calls, which give
/// them back.
pub(crate) struct EmbeddedStore {
    values: Table<Token>,
    guards: [Mutex<Guards>; STRIPES],
    hasher: RandomState,
    /// How much of a key is that of every key, and left out here.
    prefix_len: usize,
    clock: Clock,
}

/// The leases and fences of one stripe, and when each becomes empty.
type Guards = HashMap<Box<[u8]>, (Slot<Payload>, Instant)>;

impl EmbeddedStore {
    pub(crate) fn new(capacity: usize, prefix_len: usize, clock: Clock) -> Self {
        Self {
            prefix_len,
            values: Table::new(capacity, capacity as u64, 1, clock.clone()),
            guards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            clock,
        }
    }

    /// Carries out one step of the table.
    pub(crate) fn apply(
        &self,
        key: &RenderedKey,
        step: Step<Payload>,
        ttl: Duration,
    ) -> Reply<Payload> {
        let key = self.own(key.as_bytes());
        if matches!(step, Step::Read)
            && let Some((token, kept)) = self.value(key)
        {
            return Reply::Hit(token, Payload::Typed(kept));
        }

        let mut guards = self.stripe(key);
        let now = self.clock.instant();
        // A value that was filled since the look above is found here.
        let (before, old_deadline) = match self.value(key) {
            Some((token, kept)) => (Slot::Value(token, Payload::Typed(kept)), None),
            None => guard(&mut guards, key, now).unwrap_or_default(),
        };
        let starts_life = matches!(
            step,
            Step::Acquire { .. }
                | Step::Renew(_)
                | Step::Fill(..)
                | Step::Refresh { .. }
                | Step::Raise(_)
                | Step::Hold(_)
                | Step::Put(..)
        );
        let (slot, reply) = apply(before, step);
        if matches!(
            reply,
            Reply::Miss | Reply::Hit(..) | Reply::Leased(_) | Reply::Fenced
        ) {
            return reply;
        }
        let goes_on = !(starts_life && matches!(reply, Reply::Granted | Reply::Done));
        match slot {
            Slot::Empty => {
                guards.remove(key);
                self.values.remove(key);
            }
            Slot::Value(token, payload) => {
                guards.remove(key);
                if !goes_on {
                    let kept = payload.into_kept(key);
                    self.values.insert(kept, token, self.clock.tick().plus(ttl));
                }
            }
            guard @ (Slot::Lease(_) | Slot::Fence(_)) => {
                let deadline = old_deadline.filter(|_| goes_on);
                // A life beyond the clock's range is as good as none.
                let begun = || now.checked_add(ttl).unwrap_or(now + FAR_FUTURE);
                self.values.remove(key);
                guards.insert(key.into(), (guard, deadline.unwrap_or_else(begun)));
            }
        }
        reply
    }

    /// A hit, without a step: what `make` makes of the value under a key, if that is of this type and version.
    #[inline]
    pub(crate) fn hit<T: CacheValue, R>(
        &self,
        key: &[u8],
        version: u32,
        make: impl Fn(Option<T>) -> Option<R>,
    ) -> Option<R> {
        let see = |kept: &Arc<Kept>, _: &Token| kept.get(version, &make);
        self.values.look(self.own(key), see).flatten()
    }

    /// How long the value under a key lives on.
    pub(crate) fn ttl_left(&self, key: &RenderedKey) -> Option<Duration> {
        let (_, kept) = self.value(self.own(key.as_bytes()))?;
        Some(kept.ttl_left(self.clock.tick()))
    }

    /// A value in the form that this store keeps.
    pub(crate) fn keep<T: CacheValue>(
        &self,
        key: &RenderedKey,
        value: Option<T>,
        version: u32,
    ) -> Payload {
        Payload::Typed(Kept::new(self.own(key.as_bytes()), value, version, 1))
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Some values, at most so many: in the order of the table, which is that of no key. And how many it has looked at for that, also
    /// those that have expired and still are in the table.
    pub(crate) fn census(&self, most: usize) -> (Vec<Sample>, usize) {
        let now = self.clock.tick();
        let sample = |key: &[u8], kept: &Kept| Sample {
            whose: Whose::Slot(String::from_utf8_lossy(key).into_owned()),
            bytes: None,
            ttl_left: Some(kept.ttl_left(now)),
            idle: None,
        };
        self.values.some(most, sample)
    }

    /// How many there may be.
    pub(crate) fn capacity(&self) -> u64 {
        self.values.capacity()
    }

    /// Empties every slot.
    pub(crate) fn clear(&self) {
        // Every stripe is held, so that no step is half-way between its look and its store.
        let mut stripes: Vec<_> = self.guards.iter().map(lock).collect();
        for guards in &mut stripes {
            guards.clear();
        }
        self.values.clear();
    }

    /// Invalidates every slot whose key begins with these bytes. It looks at each that there is.
    pub(crate) fn invalidate_under(&self, under: &RenderedKey) {
        let under = self.own(under.as_bytes());
        // As in `clear`; and what is not loaded under a lease that is dropped here was stored before, and is found below.
        let mut stripes: Vec<_> = self.guards.iter().map(lock).collect();
        for guards in &mut stripes {
            guards.retain(|key, (slot, _)| {
                if key.starts_with(under) {
                    *slot = apply(std::mem::take(slot), Step::Invalidate).0;
                }
                !matches!(slot, Slot::Empty)
            });
        }
        self.values.remove_under(under);
    }

    #[inline]
    fn own<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        key.get(self.prefix_len..).unwrap_or_default()
    }

    fn value(&self, key: &[u8]) -> Option<(Token, Arc<Kept>)> {
        self.values.look(key, |kept, token| (*token, kept.clone()))
    }

    fn stripe(&self, key: &[u8]) -> MutexGuard<'_, Guards> {
        let stripe = usize::try_from(self.hasher.hash_one(key) % STRIPES as u64);
        lock(&self.guards[stripe.unwrap_or_default()])
    }
}

fn guard(
    guards: &mut Guards,
    key: &[u8],
    now: Instant,
) -> Option<(Slot<Payload>, Option<Instant>)> {
    let (slot, deadline) = guards.get(key)?;
    if *deadline <= now {
        guards.remove(key);
        return None;
    }
    Some((slot.clone(), Some(*deadline)))
}

const FAR_FUTURE: Duration = Duration::from_secs(60 * 60 * 24 * 365);

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("values", &self.values.len())
            .field("capacity", &self.values.capacity())
            .finish_non_exhaustive()
    }
}
