//! What the service tells of itself at `/stats`.

use std::time::Duration;

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

/// The snapshot of the cache.
#[derive(Clone, Debug, Deserialize)]
struct Cache {
    total: Measured,
    call_sites: Vec<CallSite>,
}

#[derive(Clone, Debug, Deserialize)]
struct CallSite {
    templates: Vec<String>,
    measured: Measured,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Measured {
    stats: Calls,
    hits: Latency,
    loads: Latency,
}

/// Of all since the service started.
#[derive(Clone, Copy, Debug, Deserialize)]
#[allow(clippy::struct_field_names, reason = "as they stand in the JSON")]
struct Latency {
    mean_seconds: Option<f64>,
    p50_seconds: Option<f64>,
    p99_seconds: Option<f64>,
}

macro_rules! outcomes {
    ($($name:ident),*; $($more:ident),*) => {
        /// The calls of cached functions: each counts in one of the first. The names are those of `cache_runtime::Stats`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) struct Calls {
            $($name: u64,)*
            $(pub(crate) $more: u64,)*
        }

        impl Calls {
            fn since(self, before: Self) -> Self {
                Self {
                    $($name: self.$name.saturating_sub(before.$name),)*
                    $($more: self.$more.saturating_sub(before.$more),)*
                }
            }

            /// All calls that went through the cache.
            pub(crate) fn all(self) -> u64 {
                0 $(+ self.$name)*
            }
        }
    };
}

outcomes! {
    hits, local_hits, stale_hits, misses, joins, refreshes, unanswered, cancelled, bypasses_asked, bypasses_transaction,
    bypasses_fenced, bypasses_waited, bypasses_failed, bypasses_store;
    loads, store_errors, mismatches, verified
}

/// What the service did between two readings.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Work {
    pub(crate) queries: u64,
    pub(crate) calls: Calls,
    pub(crate) by_template: Vec<TemplateCalls>,
    /// What the dashboard of the service showed at the second.
    pub(crate) shown: Vec<Shown>,
}

/// The calls of one cached function.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TemplateCalls {
    pub(crate) template: String,
    pub(crate) calls: Calls,
}

/// A row of the dashboard's table: all since the service started.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    pub(crate) template: String,
    pub(crate) calls: u64,
    pub(crate) hit_ratio: Option<f64>,
    pub(crate) loads: u64,
    pub(crate) load_p50_ms: Option<f64>,
    pub(crate) load_p99_ms: Option<f64>,
    pub(crate) seconds_saved: Option<f64>,
    pub(crate) store_errors: u64,
    /// Of those that were held against their source.
    pub(crate) stale: Option<u64>,
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
            calls: site.measured.stats.since(before.measured.stats),
        });
        let shown = self.cache.call_sites.iter();
        let shown = shown.map(|site| Shown::of(site.templates.join(", "), site.measured));
        let all = Shown::of("all".to_owned(), self.cache.total);
        let totals = self.cache.total.stats;
        Work {
            queries: self
                .database
                .queries
                .saturating_sub(before.database.queries),
            calls: totals.since(before.cache.total.stats),
            // Without the invalidations, and without everything if the cache is off.
            by_template: calls.filter(|site| site.calls.all() > 0).collect(),
            shown: shown.chain([all]).filter(|row| row.calls > 0).collect(),
        }
    }
}

impl Shown {
    fn of(template: String, measured: Measured) -> Self {
        let Measured { stats, hits, loads } = measured;
        let milliseconds = |seconds: Option<f64>| seconds.map(|seconds| seconds * 1e3);
        let saved = loads.mean_seconds.map(|load| {
            let each = (load - hits.mean_seconds.unwrap_or_default()).max(0.0);
            each * stats.spared_f64()
        });
        Self {
            template,
            calls: stats.all(),
            hit_ratio: stats.hit_ratio(),
            loads: stats.loads,
            load_p50_ms: milliseconds(loads.p50_seconds),
            load_p99_ms: milliseconds(loads.p99_seconds),
            seconds_saved: saved.map(|seconds| Duration::from_secs_f64(seconds).as_secs_f64()),
            store_errors: stats.store_errors,
            stale: (stats.verified + stats.mismatches > 0).then_some(stats.mismatches),
        }
    }
}

impl Calls {
    /// The calls that were answered without a run of the body of their own: hits, and those who waited for another's load.
    pub(crate) fn spared(self) -> u64 {
        self.hits + self.local_hits + self.stale_hits + self.joins
    }

    #[allow(clippy::cast_precision_loss, reason = "few enough")]
    fn spared_f64(self) -> f64 {
        self.spared() as f64
    }

    /// Which part was spared, as the dashboard shows it. `None` if there was no call.
    #[allow(clippy::cast_precision_loss, reason = "it is a share")]
    pub(crate) fn hit_ratio(self) -> Option<f64> {
        let all = self.all();
        (all > 0).then(|| self.spared() as f64 / all as f64)
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
            shown: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A reading in which each counter is `times` what it is in the first.
    fn reading(times: u64) -> anyhow::Result<Stats> {
        let stats = json!({
            "hits": 10 * times, "local_hits": 20 * times, "stale_hits": 5 * times, "misses": 3 * times, "joins": 5 * times, "refreshes": times,
            "unanswered": times, "cancelled": times, "bypasses_asked": times, "bypasses_transaction": times, "bypasses_fenced": times,
            "bypasses_waited": times, "bypasses_failed": 0, "bypasses_store": 0,
            "loads": 8 * times, "store_errors": times, "mismatches": 0, "verified": 4 * times, "fills": 1,
        });
        let latency = |mean: f64| json!({ "count": 1, "mean_seconds": mean, "p50_seconds": mean, "p99_seconds": 2.0 * mean });
        let measured = json!({ "stats": stats, "hits": latency(0.001), "loads": latency(0.011) });
        let site = json!({ "function": "find", "templates": ["user:<id>"], "measured": measured });
        let none = json!({ "mean_seconds": null, "p50_seconds": null, "p99_seconds": null });
        let zeros: serde_json::Map<_, _> = match &stats {
            serde_json::Value::Object(stats) => {
                stats.keys().map(|name| (name.clone(), 0.into())).collect()
            }
            _ => serde_json::Map::new(),
        };
        let unused = json!({ "templates": ["never:<id>"], "measured": { "stats": zeros, "hits": none, "loads": none } });
        Ok(serde_json::from_value(json!({
            "dataset": { "users": 1, "last_day": "2026-06-30" },
            "database": { "queries": 7 * times },
            "cache": { "total": measured, "call_sites": [site, unused] },
        }))?)
    }

    #[test]
    fn every_outcome_is_a_call_and_those_that_were_spared_are_hits() -> anyhow::Result<()> {
        let work = reading(3)?.since(&reading(1)?);
        assert_eq!(work.queries, 14);
        assert_eq!(work.calls.all(), 100);
        assert_eq!(work.calls.hit_ratio(), Some(0.8));
        assert_eq!(work.by_template.len(), 1, "what was not called is left out");
        assert_eq!(work.by_template[0].calls, work.calls);
        Ok(())
    }

    #[test]
    fn what_the_dashboard_shows_is_of_the_whole_time() -> anyhow::Result<()> {
        let work = reading(3)?.since(&reading(1)?);
        let [of_user, all] = &work.shown[..] else {
            anyhow::bail!("{:?}", work.shown);
        };
        assert_eq!((&*of_user.template, &*all.template), ("user:<id>", "all"));
        assert_eq!((of_user.calls, of_user.loads), (150, 24));
        assert_eq!((of_user.store_errors, of_user.stale), (3, Some(0)));
        // 120 calls were spared, each of them 10 ms.
        let saved = of_user.seconds_saved.unwrap_or_default();
        assert!((saved - 1.2).abs() < 1e-9, "{saved}");
        assert_eq!(of_user.load_p99_ms.map(f64::round), Some(22.0));
        Ok(())
    }
}
