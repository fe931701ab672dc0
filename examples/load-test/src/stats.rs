//! What the service tells of itself at `/stats`.

use serde::{Deserialize, Serialize};

use crate::api::Api;

/// A reading of `/stats`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Stats {
    pub(crate) dataset: Dataset,
    database: Database,
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

#[derive(Clone, Debug, Deserialize)]
struct Cache {
    totals: Calls,
    call_sites: Vec<CallSite>,
}

#[derive(Clone, Debug, Deserialize)]
struct CallSite {
    templates: Vec<String>,
    stats: Calls,
}

/// The calls of cached functions: each counts in one of these.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Calls {
    hits: u64,
    misses: u64,
    joins: u64,
    bypasses_fenced: u64,
    bypasses_waited: u64,
    bypasses_failed: u64,
    bypasses_store: u64,
}

/// What the service did between two readings.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Work {
    pub(crate) queries: u64,
    pub(crate) calls: Calls,
    pub(crate) by_template: Vec<TemplateCalls>,
}

/// The calls of one cached function.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TemplateCalls {
    pub(crate) template: String,
    pub(crate) calls: Calls,
}

impl Stats {
    pub(crate) async fn read(api: &Api) -> anyhow::Result<Self> {
        api.get("/stats").await
    }

    /// What was counted from `before` to this reading; 0 for what a restart of the service has set back.
    pub(crate) fn since(&self, before: &Self) -> Work {
        let sites = self.cache.call_sites.iter().zip(&before.cache.call_sites);
        let calls = sites.map(|(site, before)| TemplateCalls {
            template: site.templates.join(", "),
            calls: site.stats.since(before.stats),
        });
        Work {
            queries: self
                .database
                .queries
                .saturating_sub(before.database.queries),
            calls: self.cache.totals.since(before.cache.totals),
            // Without the invalidations, and without everything if the cache is off.
            by_template: calls.filter(|site| site.calls.all() > 0).collect(),
        }
    }
}

impl Calls {
    fn since(self, before: Self) -> Self {
        Self {
            hits: self.hits.saturating_sub(before.hits),
            misses: self.misses.saturating_sub(before.misses),
            joins: self.joins.saturating_sub(before.joins),
            bypasses_fenced: self.bypasses_fenced.saturating_sub(before.bypasses_fenced),
            bypasses_waited: self.bypasses_waited.saturating_sub(before.bypasses_waited),
            bypasses_failed: self.bypasses_failed.saturating_sub(before.bypasses_failed),
            bypasses_store: self.bypasses_store.saturating_sub(before.bypasses_store),
        }
    }

    pub(crate) fn all(self) -> u64 {
        self.hits
            + self.misses
            + self.joins
            + self.bypasses_fenced
            + self.bypasses_waited
            + self.bypasses_failed
            + self.bypasses_store
    }

    /// Which part was answered from the store; whatever else happened to a call, it is no hit. `None` if there was no
    /// call.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn hit_ratio(self) -> Option<f64> {
        let all = self.all();
        (all > 0).then(|| self.hits as f64 / all as f64)
    }
}

#[cfg(test)]
impl Work {
    pub(crate) fn new(queries: u64, hits: u64, misses: u64) -> Self {
        let calls = Calls {
            hits,
            misses,
            ..Calls::default()
        };
        Self {
            queries,
            calls,
            by_template: Vec::new(),
        }
    }
}
