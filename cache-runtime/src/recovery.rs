//! Recovery: invalidations that the store did not take are kept, retried, and in force in this process at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::backoff::backoff;
use crate::cache::Inner;
use crate::error::ErrorKind;
use crate::invalidation::Ending;
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::race::within;
use crate::solo::{Solo, Turn};
use crate::stats::Count;

/// How many undelivered invalidations are kept, one per key.
pub(crate) const CAPACITY: usize = 10_000;

/// How long one attempt may take. Longer than a call's budget: nobody waits for it.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The undelivered invalidations of one cache.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Each key, and its newest mutation.
    pending: Mutex<HashMap<RenderedKey, Mutation>>,
    mutations: AtomicU64,
    /// How many are pending, readable without the lock: nearly always none.
    len: AtomicUsize,
    /// More came than are kept: which keys are stale is no longer known, so none is read.
    overflowed: AtomicBool,
    worker: Solo,
}

/// A mutation whose ending the store has not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mutation {
    number: u64,
    ending: Ending,
}

impl Recovery {
    /// Whether this key must be read past the cache.
    pub(crate) fn concerns(&self, key: &RenderedKey) -> bool {
        if self.len.load(Ordering::Acquire) == 0 {
            return self.overflowed.load(Ordering::Relaxed);
        }
        self.overflowed.load(Ordering::Relaxed) || lock(&self.pending).contains_key(key)
    }

    /// How many invalidations wait for delivery.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    fn insert(&self, key: RenderedKey, ending: Ending) {
        let mut pending = lock(&self.pending);
        if pending.len() >= CAPACITY && !pending.contains_key(&key) {
            if !self.overflowed.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    capacity = CAPACITY,
                    "more cache invalidations are undelivered than can be kept: this process reads past the cache from \
                     now on; restart all processes of the namespace with a new CACHE_EPOCH once the store is back"
                );
            }
            return;
        }
        let number = self.mutations.fetch_add(1, Ordering::Relaxed);
        pending.insert(key, Mutation { number, ending });
        self.len.store(pending.len(), Ordering::Release);
    }

    /// Takes a delivered invalidation off, unless the key was mutated again since:
    ///
    /// 1. The task sends the invalidation of mutation 1; the store carries it out.
    /// 2. Mutation 2 commits, cannot deliver, and queues the same key.
    /// 3. The answer to 1 arrives. Taking the key off now would lose the invalidation of mutation 2.
    fn remove(&self, key: &RenderedKey, mutation: Mutation) {
        let mut pending = lock(&self.pending);
        if pending.get(key) == Some(&mutation) {
            pending.remove(key);
        }
        self.len.store(pending.len(), Ordering::Release);
    }

    fn all(&self) -> Vec<(RenderedKey, Mutation)> {
        lock(&self.pending)
            .iter()
            .map(|(key, mutation)| (key.clone(), *mutation))
            .collect()
    }

    /// Forgets everything: the store is not to be contacted any more, and not to be trusted before a new epoch.
    pub(crate) fn clear(&self) {
        let mut pending = lock(&self.pending);
        pending.clear();
        self.len.store(0, Ordering::Release);
    }
}

impl Inner {
    /// Keeps invalidations for delivery, and sees to it that somebody delivers them.
    pub(crate) fn queue_invalidations(
        self: &Arc<Self>,
        keys: impl IntoIterator<Item = RenderedKey>,
        ending: Ending,
    ) {
        for key in keys {
            self.recovery.insert(key, ending);
        }
        self.work_on_recovery();
    }

    /// Starts the task that delivers, unless it runs, there is nothing to do, or this thread has no runtime. In the
    /// last case the next call on a runtime starts it.
    pub(crate) fn work_on_recovery(self: &Arc<Self>) {
        if self.recovery.len() == 0 {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let Some(turn) = self.recovery.worker.begin() else {
            return;
        };
        let inner = self.clone();
        runtime.spawn(async move {
            inner.deliver_pending(&turn).await;
            drop(turn);
            // Somebody may have queued after the last look and before the turn ended, and found the task at work.
            inner.work_on_recovery();
        });
    }

    async fn deliver_pending(&self, turn: &Turn) {
        let mut delays = backoff();
        while self.recovery.len() > 0 {
            let mut failed = false;
            for (key, mutation) in self.recovery.all() {
                if !turn.go_on() {
                    return;
                }
                let step = mutation.ending.step();
                match self.store.apply(&key, step, Duration::ZERO, ATTEMPT).await {
                    Ok(_) => {
                        self.recovery.remove(&key, mutation);
                        self.counters.add(Count::invalidations);
                    }
                    Err(error) => {
                        tracing::debug!(%error, "a cache invalidation is still undelivered");
                        failed = true;
                        // One that is refused does not hold up the others; a store that is away does.
                        if error.kind() != ErrorKind::Rejected {
                            break;
                        }
                    }
                }
            }
            if failed {
                within(delays.next().unwrap_or(ATTEMPT), self.store.recovered()).await;
            } else {
                delays = backoff();
            }
        }
    }
}
