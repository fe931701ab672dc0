//! The embedded store: slots in this process.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use quick_cache::Weighter;
use quick_cache::sync::Cache as Slots;

use super::Payload;
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::slot::{Reply, Slot, Step, apply};

/// Steps on keys of one stripe take turns. Reads take no part in it.
const STRIPES: usize = 64;

/// Slots in this process: bounded by entries, evicted by S3-FIFO, values kept as they are.
pub(crate) struct EmbeddedStore {
    slots: Slots<Box<[u8]>, Timed, ByEntry>,
    stripes: [Mutex<()>; STRIPES],
    hasher: RandomState,
}

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

/// Values count towards the bound. Leases and fences do not, so that they are not evicted: there are no more of
/// them than running calls, and they give themselves back.
#[derive(Clone)]
struct ByEntry;

impl Weighter<Box<[u8]>, Timed> for ByEntry {
    fn weight(&self, _: &Box<[u8]>, timed: &Timed) -> u64 {
        u64::from(matches!(timed.slot, Slot::Value(..)))
    }
}

impl EmbeddedStore {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            slots: Slots::with_weighter(capacity, capacity as u64, ByEntry),
            stripes: [const { Mutex::new(()) }; STRIPES],
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
        if matches!(step, Step::Read) {
            return apply(
                self.look(key).map(|timed| timed.slot).unwrap_or_default(),
                step,
            )
            .1;
        }

        let _turn = lock(&self.stripes[self.stripe(key)]);
        let before = self.look(key);
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
        if matches!(slot, Slot::Empty) {
            self.slots.remove(key);
        } else {
            self.slots.insert(key.into(), Timed { slot, deadline });
        }
        reply
    }

    /// Empties every slot.
    pub(crate) fn clear(&self) {
        // Every stripe is held, so that no step is half-way between its look and its store.
        let _turns: Vec<_> = self.stripes.iter().map(lock).collect();
        self.slots.clear();
    }

    fn look(&self, key: &[u8]) -> Option<Timed> {
        let timed = self.slots.get(key)?;
        if timed.is_expired() {
            self.slots.remove_if(key, Timed::is_expired);
            return None;
        }
        Some(timed)
    }

    fn stripe(&self, key: &[u8]) -> usize {
        usize::try_from(self.hasher.hash_one(key) % STRIPES as u64).unwrap_or_default()
    }
}

fn far_future() -> Instant {
    Instant::now() + Duration::from_secs(60 * 60 * 24 * 365)
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("entries", &self.slots.len())
            .field("capacity", &self.slots.capacity())
            .finish_non_exhaustive()
    }
}
