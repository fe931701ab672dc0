//! Invalidations on their way: delivered when the mutation is over, or when it is dropped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::Cache;
use crate::error::CacheError;
use crate::key::{CacheKey, KeyWriter, RenderedKey};
use crate::site::CallSite;
use crate::slot::Step;
use crate::stats::Count;
use crate::switch::Mode;

/// The keys that a mutation invalidates.
///
/// Dropping this delivers what was not delivered: the mutation may have committed, whatever became of its caller.
#[derive(Debug)]
pub struct Effects {
    cache: Cache,
    site: Option<&'static CallSite>,
    keys: Vec<RenderedKey>,
}

impl Effects {
    pub(crate) fn new(cache: Cache, site: Option<&'static CallSite>) -> Self {
        Self {
            cache,
            site,
            keys: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, key: RenderedKey) {
        self.keys.push(key);
    }

    /// Adds a key written by a template.
    pub fn key(&mut self, write: impl FnOnce(&mut KeyWriter)) {
        self.add(self.cache.inner.render(write));
    }

    /// Adds a typed key.
    pub fn typed(&mut self, key: &impl CacheKey) {
        self.key(|writer| key.write_key(writer));
    }

    /// Delivers all keys, within one store budget. What the store does not take is queued.
    ///
    /// # Errors
    ///
    /// The first one, after everything was delivered or queued.
    pub(crate) async fn deliver(&mut self) -> Result<(), CacheError> {
        let inner = self.cache.inner.clone();
        // Asked now, not when the mutation began: it may have been switched on meanwhile.
        if inner.mode() == Mode::Detached {
            self.keys.clear();
            return Ok(());
        }
        let until = Instant::now() + inner.settings.store_budget;
        while let Some(key) = self.keys.last() {
            let limit = until.saturating_duration_since(Instant::now());
            // A key leaves the list when it is delivered, not before: this may be dropped here.
            match inner
                .store
                .apply(key, Step::Invalidate, Duration::ZERO, limit)
                .await
            {
                Ok(_) => {
                    self.keys.pop();
                    self.count(Count::invalidations);
                }
                Err(error) => {
                    self.count(Count::store_errors);
                    self.queue();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Leaves what is not delivered to the recovery.
    fn queue(&mut self) {
        for _ in &self.keys {
            self.count(Count::invalidations_queued);
        }
        let inner: &Arc<_> = &self.cache.inner;
        inner.queue_invalidations(self.keys.drain(..));
    }

    fn count(&self, count: Count) {
        self.cache.inner.counters.add(count);
        if let Some(site) = self.site {
            site.counters.add(count);
        }
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        if self.keys.is_empty() || self.cache.mode() == Mode::Detached {
            return;
        }
        if let Some(store) = self.cache.inner.store.as_embedded() {
            for key in std::mem::take(&mut self.keys) {
                store.apply(&key, Step::Invalidate, Duration::ZERO);
                self.count(Count::invalidations);
            }
        } else {
            self.queue();
        }
    }
}
