//! Recovery: invalidations that the store did not take are kept, retried, and in force in this process at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::backoff::backoff;
use crate::budget::Budget;
use crate::cache::Inner;
use crate::changes::Changed;
use crate::error::{CacheError, ErrorKind};
use crate::invalidation::Ending;
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::race::within;
use crate::solo::{Solo, Turn};
use crate::stats::Count;

/// How many undelivered invalidations are kept, one per key.
pub(crate) const CAPACITY: usize = 10_000;

/// How many undelivered patterns are kept. Each read of this process is held against all of them.
pub(crate) const MAX_PATTERNS: usize = 100;

/// How long one attempt may take. Longer than a call's budget: nobody waits for it.
const ATTEMPT: Duration = Duration::from_secs(1);

/// The undelivered invalidations of one cache.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    pending: Mutex<Pending>,
    mutations: AtomicU64,
    /// How much is pending, readable without the lock: nearly always nothing.
    len: AtomicUsize,
    worker: Solo,
}

#[derive(Debug, Default)]
struct Pending {
    /// Each key, and its newest mutation.
    keys: HashMap<RenderedKey, Mutation>,
    /// How each key of a pattern begins, and its newest mutation.
    patterns: HashMap<RenderedKey, u64>,
    /// The number of a mutation since which it is not known which keys are stale: the epoch is to be moved, and no key is
    /// read before that.
    epoch: Option<u64>,
}

impl Pending {
    fn len(&self) -> usize {
        self.keys.len() + self.patterns.len() + usize::from(self.epoch.is_some())
    }
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
        if self.len() == 0 {
            return false;
        }
        let pending = lock(&self.pending);
        let mut patterns = pending.patterns.keys();
        pending.epoch.is_some()
            || pending.keys.contains_key(key)
            || patterns.any(|under| key.as_bytes().starts_with(under.as_bytes()))
    }

    /// How many invalidations wait for delivery; a move of the epoch counts as one.
    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    fn change<R>(&self, change: impl FnOnce(&mut Pending) -> R) -> R {
        let mut pending = lock(&self.pending);
        let result = change(&mut pending);
        self.len.store(pending.len(), Ordering::Release);
        result
    }

    /// Keeps the invalidation of a key; how many are not kept any more.
    fn insert(&self, key: RenderedKey, ending: Ending) -> usize {
        let number = self.mutations.fetch_add(1, Ordering::Relaxed);
        self.change(|pending| {
            if pending.keys.len() >= CAPACITY && !pending.keys.contains_key(&key) {
                let dropped = pending.keys.len() + 1;
                pending.keys.clear();
                pending.epoch = Some(number);
                dropped
            } else {
                pending.keys.insert(key, Mutation { number, ending });
                0
            }
        })
    }

    /// Keeps the pattern of which each key begins so; how many are not kept any more.
    fn insert_pattern(&self, under: RenderedKey) -> usize {
        let number = self.mutations.fetch_add(1, Ordering::Relaxed);
        self.change(|pending| {
            pending.patterns.insert(under, number);
            let dropped = pending.patterns.len();
            if dropped > MAX_PATTERNS {
                pending.patterns.clear();
                pending.epoch = Some(number);
                dropped
            } else {
                0
            }
        })
    }

    fn remove_pattern(&self, under: &RenderedKey, number: u64) {
        self.change(|pending| {
            if pending.patterns.get(under) == Some(&number) {
                pending.patterns.remove(under);
            }
        });
    }

    fn all_patterns(&self) -> Vec<(RenderedKey, u64)> {
        let pending = lock(&self.pending);
        let patterns = pending.patterns.iter();
        patterns
            .map(|(under, number)| (under.clone(), *number))
            .collect()
    }

    /// Asks for the epoch to be moved: what stands in the store is not to be trusted before.
    pub(crate) fn demand_epoch(&self) {
        let number = self.mutations.fetch_add(1, Ordering::Relaxed);
        self.change(|pending| pending.epoch = Some(number));
    }

    /// What a move of the epoch that begins now will make up for; `None` if none is asked for.
    fn demanded(&self) -> Option<u64> {
        let pending = lock(&self.pending);
        pending
            .epoch
            .map(|_| self.mutations.load(Ordering::Relaxed))
    }

    /// The epoch was moved. That covers every mutation before `number`, and none after:
    ///
    /// 1. The store moves the epoch. R loads a value under the new one.
    /// 2. A mutation of that value commits, cannot deliver, and queues.
    /// 3. The answer to the move arrives.
    fn moved(&self, number: u64) {
        self.change(|pending| {
            pending.keys.retain(|_, mutation| mutation.number >= number);
            pending.patterns.retain(|_, mutation| *mutation >= number);
            if pending.epoch.is_some_and(|demand| demand < number) {
                pending.epoch = None;
            }
        });
    }

    /// Takes a delivered invalidation off, unless the key was mutated again since:
    ///
    /// 1. The task sends the invalidation of mutation 1; the store carries it out.
    /// 2. Mutation 2 commits, cannot deliver, and queues the same key.
    /// 3. The answer to 1 arrives. Taking the key off now would lose the invalidation of mutation 2.
    fn remove(&self, key: &RenderedKey, mutation: Mutation) {
        self.change(|pending| {
            if pending.keys.get(key) == Some(&mutation) {
                pending.keys.remove(key);
            }
        });
    }

    fn all(&self) -> Vec<(RenderedKey, Mutation)> {
        lock(&self.pending)
            .keys
            .iter()
            .map(|(key, mutation)| (key.clone(), *mutation))
            .collect()
    }

    /// The keys that wait for delivery, and whether a move of the epoch does.
    pub(crate) fn left(&self) -> (Vec<RenderedKey>, bool) {
        let pending = lock(&self.pending);
        (
            pending
                .keys
                .keys()
                .chain(pending.patterns.keys())
                .cloned()
                .collect(),
            pending.epoch.is_some(),
        )
    }

    /// Forgets everything: the store is not to be contacted any more, and not to be trusted before a new epoch.
    pub(crate) fn clear(&self) {
        self.change(|pending| *pending = Pending::default());
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
            let dropped = self.recovery.insert(key, ending);
            self.note_dropped(dropped);
        }
        self.work_on_recovery();
    }

    /// Keeps a pattern for delivery likewise.
    pub(crate) fn queue_pattern(self: &Arc<Self>, under: RenderedKey) {
        let dropped = self.recovery.insert_pattern(under);
        self.note_dropped(dropped);
        self.work_on_recovery();
    }

    fn note_dropped(&self, count: usize) {
        if count > 0 {
            let times = u64::try_from(count).unwrap_or(u64::MAX);
            self.counters.add_times(Count::invalidations_dropped, times);
            let what = Changed::InvalidationsDropped { count };
            self.changes.note(what, None);
        }
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
            if self.deliver_once(|| turn.go_on()).await {
                delays = backoff();
            } else if turn.go_on() {
                within(delays.next().unwrap_or(ATTEMPT), self.store.recovered()).await;
            } else {
                return;
            }
        }
    }

    /// Tries to deliver everything, for as long as `goes_on`; `false` if something was left.
    pub(crate) async fn deliver_once(&self, goes_on: impl Fn() -> bool) -> bool {
        let mut failed = self.move_epoch(ATTEMPT).await.is_err();
        for (under, number) in self.recovery.all_patterns() {
            if !goes_on() {
                return false;
            }
            if self.store.invalidate_under(&under, ATTEMPT).await.is_ok() {
                self.recovery.remove_pattern(&under, number);
                self.counters.add(Count::invalidations);
            } else {
                failed = true;
            }
        }
        for (key, mutation) in self.recovery.all() {
            if !goes_on() {
                return false;
            }
            let step = mutation.ending.step();
            let budget = Budget::of(ATTEMPT);
            match self.store.apply(&key, step, Duration::ZERO, budget).await {
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
        !failed
    }

    /// Moves the epoch, if that was asked for.
    pub(crate) async fn move_epoch(&self, limit: Duration) -> Result<(), CacheError> {
        let Some(number) = self.recovery.demanded() else {
            return Ok(());
        };
        self.store.advance_epoch(limit).await?;
        if self.store.as_embedded().is_some() {
            // Redis tells of it, this process like any other.
            self.changes.note(Changed::EpochMoved, None);
        }
        self.recovery.moved(number);
        Ok(())
    }
}
