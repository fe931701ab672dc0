//! What the service tells of itself at `/stats`.

use serde::{Deserialize, Serialize};

use crate::connection::Api;

/// A reading of `/stats`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stats {
    pub(crate) dataset: Dataset,
    database: Database,
    #[serde(default)]
    cache: Cache,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dataset {
    pub(crate) users: u32,
    pub(crate) last_day: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Database {
    queries: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Cache {
    totals: Totals,
}

/// The counters of all cached functions together: each call counts in one of these.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    hits: u64,
    misses: u64,
    joins: u64,
    bypasses_fenced: u64,
    bypasses_waited: u64,
    bypasses_failed: u64,
    bypasses_store: u64,
}

/// What the service did between two readings.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Work {
    pub(crate) queries: u64,
    cache: Totals,
}

impl Stats {
    pub(crate) async fn read(api: &Api) -> anyhow::Result<Self> {
        api.get("/stats").await
    }

    pub(crate) fn since(&self, before: &Self) -> Work {
        Work {
            queries: self.database.queries - before.database.queries,
            cache: self.cache.totals.since(before.cache.totals),
        }
    }
}

impl Totals {
    fn since(self, before: Self) -> Self {
        Self {
            hits: self.hits - before.hits,
            misses: self.misses - before.misses,
            joins: self.joins - before.joins,
            bypasses_fenced: self.bypasses_fenced - before.bypasses_fenced,
            bypasses_waited: self.bypasses_waited - before.bypasses_waited,
            bypasses_failed: self.bypasses_failed - before.bypasses_failed,
            bypasses_store: self.bypasses_store - before.bypasses_store,
        }
    }

    fn calls(self) -> u64 {
        self.hits
            + self.misses
            + self.joins
            + self.bypasses_fenced
            + self.bypasses_waited
            + self.bypasses_failed
            + self.bypasses_store
    }
}

impl Work {
    /// Which part of the calls of cached functions was answered from the store; whatever else happened to a call, it is no
    /// hit. `None` if no call went through the cache.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn hit_ratio(&self) -> Option<f64> {
        let calls = self.cache.calls();
        (calls > 0).then(|| self.cache.hits as f64 / calls as f64)
    }
}

#[cfg(test)]
impl Work {
    pub(crate) fn new(queries: u64, hits: u64, misses: u64) -> Self {
        let cache = Totals {
            hits,
            misses,
            ..Totals::default()
        };
        Self { queries, cache }
    }
}
