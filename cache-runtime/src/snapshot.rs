//! What a cache has done, in one piece: for a dashboard, an exporter, a log.

use std::time::Duration;

use serde::Serialize;

use crate::audit::templates_of;
use crate::cache::Cache;
use crate::fleet::Fleet;
use crate::latency::Latency;
use crate::site::{CallSite, Effect, call_sites};
use crate::stats::Stats;
use crate::switch::Mode;

/// What a cache is, and has done since it was made. All numbers only grow; two readings are subtracted by `since`.
///
/// The labels are call sites and key templates, never keys: a snapshot is as large as the program has annotations, however many keys
/// there are. It holds nothing of what is cached, so that it may be shown to whoever may see the metrics of the service.
///
/// A reading is not atomic: a call that ends meanwhile may be in one counter and not yet in another.
///
/// ```
/// let snapshot = cache_runtime::global().snapshot();
/// for site in &snapshot.call_sites {
///     println!("{} {:?}: {:?}", site.function, site.templates, site.measured.stats.hit_ratio());
/// }
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// What stands in front of every key, with the epoch of the configuration: `cache:0`.
    pub namespace: String,
    /// How far it is switched on.
    pub mode: Mode,
    /// What the fleet's switch says of it.
    pub fleet: Fleet,
    /// Whether the store is asked at all.
    pub breaker: Breaker,
    /// Invalidations that the store has not taken yet: see [`Cache::undelivered`].
    pub undelivered: usize,
    /// All of it.
    pub total: Measured,
    /// The part of each annotated function, in the order of their names: of the [global](crate::global) cache, all functions of the
    /// program; of another, those that name it (`cache = …`) and were called on it. What is in the total and in none of them are direct
    /// calls, and what the cache did by itself, such as to deliver what was queued.
    pub call_sites: Vec<SiteSnapshot>,
}

/// The part of one annotated function.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SiteSnapshot {
    /// The function, with its module.
    pub function: &'static str,
    /// The file, as the compiler names it.
    pub file: &'static str,
    /// The line of the attribute.
    pub line: u32,
    /// `cached`, `invalidates` or `write_through`.
    pub effect: &'static str,
    /// The key templates. A typed key has that of its type; it stands as its expression where that cannot be told.
    pub templates: Vec<&'static str>,
    /// Whether they are [switched off](Cache::switch_template) in the fleet.
    pub off: bool,
    /// How long lives what it stores, unless that is found out call by call. Serialised, in seconds.
    #[serde(rename = "ttl_seconds", serialize_with = "in_seconds")]
    pub ttl: Option<Duration>,
    /// What it did.
    pub measured: Measured,
}

/// Counters and times of the same calls.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Measured {
    /// How often what happened.
    pub stats: Stats,
    /// How long it took to answer from the cache (hits of both tiers, and stale ones), from the call to the value. Of the hits in this
    /// process one in 128 is timed, and stands for as many; those over the network all are.
    pub hits: Latency,
    /// How long the loads took that came to an end, well or not: as many as [`loads_ok`](Stats::loads_ok) and
    /// [`load_errors`](Stats::load_errors) together. Of a load for several keys, each of them counts for the whole of it.
    pub loads: Latency,
}

impl Measured {
    /// What was added since an earlier reading of the same.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            stats: self.stats.since(&earlier.stats),
            hits: self.hits.since(&earlier.hits),
            loads: self.loads.since(&earlier.loads),
        }
    }

    /// The time that callers did not wait: for each call that was answered without a run of the body, a mean load less a mean hit. An
    /// estimate; `None` before the first load.
    #[must_use]
    pub fn time_saved(&self) -> Option<Duration> {
        let hit = self.hits.mean().unwrap_or_default();
        let saved = self.loads.mean()?.saturating_sub(hit);
        let nanos = saved.as_nanos().saturating_mul(self.stats.spared().into());
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }
}

impl std::ops::AddAssign<&Measured> for Measured {
    fn add_assign(&mut self, other: &Self) {
        self.stats = self.stats + other.stats;
        self.hits += &other.hits;
        self.loads += &other.loads;
    }
}

/// The state of the breaker in front of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// The store is asked.
    Closed,
    /// The store has not answered several times in a row: calls go to the source, and a task probes the store.
    Open,
}

impl Cache {
    /// What this cache is, and has done since it was made.
    ///
    /// Costs some microseconds for each annotated function: for a scrape or a page, not for each call.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.inner;
        let mut total = inner.counters.measured();
        let mut sites: Vec<_> = if self.is_global() {
            let all = call_sites().map(|site| {
                let mut measured = site.counters.measured();
                if let Some(part) = inner.per_site.of(site) {
                    measured += &part.measured();
                }
                (site, measured)
            });
            all.collect()
        } else {
            let used = inner.per_site.used();
            used.map(|(site, part)| (site, part.measured())).collect()
        };
        sites.sort_unstable_by_key(|(site, _)| (site.function(), site.location()));
        for (_, measured) in &sites {
            total += measured;
        }
        let sites = sites
            .into_iter()
            .map(|(site, measured)| SiteSnapshot::of(site, inner.following.is_off(site), measured));
        Snapshot {
            namespace: String::from_utf8_lossy(inner.prefix())
                .trim_end_matches(':')
                .to_owned(),
            mode: self.mode(),
            fleet: self.fleet(),
            breaker: inner.store.breaker(),
            undelivered: self.undelivered(),
            total,
            call_sites: sites.collect(),
        }
    }
}

impl SiteSnapshot {
    fn of(site: &'static CallSite, off: bool, measured: Measured) -> Self {
        let (file, line) = site.location();
        let (effect, policy) = match site.effect() {
            Effect::Caches(policy) => ("cached", Some(policy)),
            Effect::Invalidates => ("invalidates", None),
            Effect::WritesThrough(policy) => ("write_through", Some(policy)),
        };
        Self {
            function: site.function(),
            file,
            line,
            effect,
            templates: templates_of(site),
            off,
            ttl: policy.map(|policy| policy.ttl()),
            measured,
        }
    }
}

#[allow(clippy::ref_option, reason = "as serde passes it")]
fn in_seconds<S: serde::Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}
