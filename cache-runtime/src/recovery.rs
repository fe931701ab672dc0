//! Recovery: invalidations that the store did not take are kept, retried, and in force in this process at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::cache::Inner;
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::slot::Step;
use crate::stats::Count;
use crate::timer;

/// How many undelivered invalidations are kept, one per key.
pub(crate) const CAPACITY: usize = 10_000;

/// How long one attempt may take. Longer than a call's budget: nobody waits for it.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The undelivered invalidations of one cache.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    /// Each key, and the number of its newest mutation.
    pending: Mutex<HashMap<RenderedKey, u64>>,
    mutations: AtomicU64,
    /// How many are pending, readable without the lock: nearly always none.
    len: AtomicUsize,
    /// More came than are kept: which keys are stale is no longer known, so none is read.
    overflowed: AtomicBool,
    working: AtomicBool,
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

    fn insert(&self, key: RenderedKey) {
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
        pending.insert(key, self.mutations.fetch_add(1, Ordering::Relaxed));
        self.len.store(pending.len(), Ordering::Release);
    }

    /// Takes a delivered invalidation off, unless the key was mutated again since:
    ///
    /// 1. The task sends the invalidation of mutation 1; the store carries it out.
    /// 2. Mutation 2 commits, cannot deliver, and queues the same key.
    /// 3. The answer to 1 arrives. Taking the key off now would lose the invalidation of mutation 2.
    fn remove(&self, key: &RenderedKey, mutation: u64) {
        let mut pending = lock(&self.pending);
        if pending.get(key) == Some(&mutation) {
            pending.remove(key);
        }
        self.len.store(pending.len(), Ordering::Release);
    }

    fn any(&self) -> Option<(RenderedKey, u64)> {
        let pending = lock(&self.pending);
        pending
            .iter()
            .next()
            .map(|(key, mutation)| (key.clone(), *mutation))
    }
}

impl Inner {
    /// Keeps invalidations for delivery, and sees to it that somebody delivers them.
    pub(crate) fn queue_invalidations(
        self: &Arc<Self>,
        keys: impl IntoIterator<Item = RenderedKey>,
    ) {
        for key in keys {
            self.recovery.insert(key);
        }
        self.work_on_recovery();
    }

    /// Starts the task that delivers, unless it runs, there is nothing to do, or this thread has no runtime. In the
    /// last case the next call on a runtime starts it.
    pub(crate) fn work_on_recovery(self: &Arc<Self>) {
        if self.recovery.len() == 0 || self.recovery.working.load(Ordering::Relaxed) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.recovery.working.swap(true, Ordering::AcqRel) {
            return;
        }
        let working = Working(self.clone());
        runtime.spawn(async move {
            let inner = &working.0;
            loop {
                inner.deliver_pending().await;
                inner.recovery.working.store(false, Ordering::Release);
                // Somebody may have queued after the last look and before the store, and found the task at work.
                if inner.recovery.len() == 0 || inner.recovery.working.swap(true, Ordering::AcqRel)
                {
                    break;
                }
            }
        });
    }

    async fn deliver_pending(&self) {
        let mut delays = backoff();
        while let Some((key, mutation)) = self.recovery.any() {
            match self
                .store
                .apply(&key, Step::Invalidate, Duration::ZERO, ATTEMPT)
                .await
            {
                Ok(_) => {
                    self.recovery.remove(&key, mutation);
                    self.counters.add(Count::invalidations);
                    delays = backoff();
                }
                Err(error) => {
                    tracing::debug!(%error, "a cache invalidation is still undelivered");
                    timer::sleep(delays.next().unwrap_or(SLOWEST)).await;
                }
            }
        }
    }
}

const SLOWEST: Duration = Duration::from_secs(1);

fn backoff() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(SLOWEST)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Notes when the task is gone, also when its runtime is shut down under it.
struct Working(Arc<Inner>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.recovery.working.store(false, Ordering::Release);
    }
}
