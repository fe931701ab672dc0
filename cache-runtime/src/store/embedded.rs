//! The embedded store: slots in this process.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache as Values;

use super::Payload;
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::slot::{Reply, Slot, Step, apply};

/// Steps on keys of one stripe take turns. A hit takes no part in it.
const STRIPES: usize = 64;

/// Slots in this process. Values are kept as they are, bounded by their number, and evicted by `quick_cache`'s form of S3-FIFO.
/// Leases and fences stand beside them, where nothing is evicted: there are no more of them than running calls, which give
/// them back.
pub(crate) struct EmbeddedStore {
    values: Values<Box<[u8]>, Timed>,
    guards: [Mutex<Guards>; STRIPES],
    hasher: RandomState,
}

/// The leases and fences of one stripe.
type Guards = HashMap<Box<[u8]>, Timed>;

/// A slot and when it becomes empty.
#[derive(Clone)]
struct Timed {
    slot: Slot<Payload>,
    deadline: Instant,
}

impl Timed {
    fn is_expired(&self) -> bool {
        self.deadline <= Instant::now()
    }
}

impl EmbeddedStore {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            values: Values::new(capacity),
            guards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
        }
    }

    /// Carries out one step of the table.
    pub(crate) fn apply(
        &self,
        key: &RenderedKey,
        step: Step<Payload>,
        ttl: Duration,
    ) -> Reply<Payload> {
        let key = key.as_bytes();
        if matches!(step, Step::Read)
            && let Some(timed) = self.value(key)
        {
            return apply(timed.slot, step).1;
        }

        let mut guards = self.stripe(key);
        // A value that was filled since the look above is found here.
        let before = self.value(key).or_else(|| guard(&mut guards, key));
        let old_deadline = before.as_ref().map(|timed| timed.deadline);
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
        let (slot, reply) = apply(before.map(|timed| timed.slot).unwrap_or_default(), step);
        if matches!(
            reply,
            Reply::Miss | Reply::Hit(..) | Reply::Leased(_) | Reply::Fenced
        ) {
            return reply;
        }
        let deadline = match old_deadline {
            Some(deadline) if !(starts_life && matches!(reply, Reply::Granted | Reply::Done)) => {
                deadline
            }
            // A TTL beyond the clock's range is as good as none.
            _ => Instant::now().checked_add(ttl).unwrap_or_else(far_future),
        };
        match slot {
            Slot::Empty => {
                guards.remove(key);
                self.values.remove(key);
            }
            Slot::Value(..) => {
                guards.remove(key);
                self.values.insert(key.into(), Timed { slot, deadline });
            }
            Slot::Lease(_) | Slot::Fence(_) => {
                self.values.remove(key);
                guards.insert(key.into(), Timed { slot, deadline });
            }
        }
        reply
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

    fn value(&self, key: &[u8]) -> Option<Timed> {
        let timed = self.values.get(key)?;
        if timed.is_expired() {
            self.values.remove_if(key, Timed::is_expired);
            return None;
        }
        Some(timed)
    }

    fn stripe(&self, key: &[u8]) -> MutexGuard<'_, Guards> {
        let stripe = usize::try_from(self.hasher.hash_one(key) % STRIPES as u64);
        lock(&self.guards[stripe.unwrap_or_default()])
    }
}

fn guard(guards: &mut Guards, key: &[u8]) -> Option<Timed> {
    let timed = guards.get(key)?;
    if timed.is_expired() {
        guards.remove(key);
        return None;
    }
    Some(timed.clone())
}

fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(60 * 60 * 24 * 365)
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("values", &self.values.len())
            .field("capacity", &self.values.capacity())
            .finish_non_exhaustive()
    }
}
