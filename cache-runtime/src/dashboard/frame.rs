//! A frame: what viewers are sent each second. What stays the same is [told](Sites) once, when they begin to look.

use std::time::Duration;

use serde::Serialize;

use super::process::Process;
use super::reach::Reach;
use crate::latency::Latency;
use crate::site::{CallSite, call_sites};
use crate::snapshot::{Breaker, Measured, SiteSnapshot, Snapshot};
use crate::switch::Mode;

/// Few and short names, for it is sent each second.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    #[serde(flatten)]
    pub(super) whole: Whole,
    minute: Minute,
    breaker: Breaker,
    mode: Mode,
    /// Whether the fleet is on.
    fleet: bool,
    undelivered: usize,
    /// When the last change was, in milliseconds since 1970: the page asks for them if it is another than before.
    changed: u64,
    process: &'static Process,
    /// In the order of [`Sites`].
    sites: Vec<SiteFigures>,
}

/// Of the whole cache, at a time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Whole {
    /// In milliseconds since 1970.
    pub(super) at: u64,
    #[serde(flatten)]
    pub(super) figures: Figures,
}

/// Since the start.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Figures {
    calls: u64,
    spared: u64,
    stale: u64,
    loads: u64,
    bypasses: u64,
    errors: u64,
    mismatches: u64,
    verified: u64,
    /// In microseconds.
    hit_p50: Option<f64>,
    hit_p99: Option<f64>,
    load_p50: Option<f64>,
    load_p99: Option<f64>,
    /// In seconds.
    saved: Option<f64>,
}

/// In the last minute, or the part of it in which somebody looked.
#[derive(Clone, Copy, Debug, Serialize)]
struct Minute {
    calls: u64,
    spared: u64,
    /// In microseconds.
    load_p99: Option<f64>,
    /// How many seconds of it.
    of: f64,
}

/// What is counted of one call site.
#[derive(Debug, Serialize)]
struct SiteFigures {
    off: bool,
    invalidations: u64,
    queued: u64,
    #[serde(flatten)]
    figures: Figures,
}

/// The call sites, as they are as long as the program runs. Of a cache that is not the global one, others may come.
#[derive(Debug, Serialize)]
pub(super) struct Sites {
    is_global: bool,
    sites: Vec<Site>,
}

/// What one is.
#[derive(Debug, Serialize)]
struct Site {
    function: &'static str,
    place: String,
    effect: &'static str,
    templates: Vec<&'static str>,
    /// Each with `tag ` in front.
    tags: &'static [&'static str],
    /// In seconds.
    ttl: Option<f64>,
    /// What its first template stands for, if all of it can be invalidated.
    reach: Option<Reach>,
}

impl Frame {
    pub(super) fn of(
        snapshot: &Snapshot,
        (at, changed): (u64, u64),
        (span, minute): &(Duration, Measured),
    ) -> Self {
        Self {
            whole: Whole {
                at,
                figures: Figures::of(&snapshot.total),
            },
            minute: Minute {
                calls: minute.stats.calls(),
                spared: minute.stats.spared(),
                load_p99: micros(&minute.loads, 0.99),
                of: span.as_secs_f64(),
            },
            breaker: snapshot.breaker,
            mode: snapshot.mode,
            fleet: snapshot.fleet.on,
            undelivered: snapshot.undelivered,
            changed,
            process: Process::own(),
            sites: snapshot.call_sites.iter().map(SiteFigures::of).collect(),
        }
    }
}

fn micros(latency: &Latency, share: f64) -> Option<f64> {
    let time = latency.quantile(share);
    time.map(|time| time.as_secs_f64() * 1e6)
}

impl Figures {
    pub(super) fn of(measured: &Measured) -> Self {
        let stats = &measured.stats;
        Self {
            calls: stats.calls(),
            spared: stats.spared(),
            stale: stats.stale_hits,
            loads: stats.loads,
            bypasses: stats.bypasses_asked
                + stats.bypasses_transaction
                + stats.bypasses_fenced
                + stats.bypasses_waited
                + stats.bypasses_failed
                + stats.bypasses_store,
            errors: stats.store_errors,
            mismatches: stats.mismatches,
            verified: stats.verified,
            hit_p50: micros(&measured.hits, 0.5),
            hit_p99: micros(&measured.hits, 0.99),
            load_p50: micros(&measured.loads, 0.5),
            load_p99: micros(&measured.loads, 0.99),
            saved: measured.time_saved().map(|time| time.as_secs_f64()),
        }
    }
}

impl SiteFigures {
    fn of(site: &SiteSnapshot) -> Self {
        let stats = &site.measured.stats;
        Self {
            off: site.off,
            invalidations: stats.invalidations,
            queued: stats.invalidations_queued,
            figures: Figures::of(&site.measured),
        }
    }
}

impl Sites {
    pub(super) fn len(&self) -> usize {
        self.sites.len()
    }

    pub(super) fn of(snapshot: &Snapshot, is_global: bool) -> Self {
        Self {
            is_global,
            sites: snapshot.call_sites.iter().map(Site::of).collect(),
        }
    }
}

impl Site {
    fn of(site: &SiteSnapshot) -> Self {
        let ttl = site.ttl.filter(|ttl| !ttl.is_zero());
        let is_it = |other: &&CallSite| {
            (other.function(), other.location()) == (site.function, (site.file, site.line))
        };
        Self {
            function: site.function,
            place: format!("{}:{}", site.file, site.line),
            effect: site.effect,
            templates: site.templates.clone(),
            tags: call_sites().find(is_it).map_or(&[], CallSite::tags),
            ttl: ttl.map(|ttl| ttl.as_secs_f64()),
            reach: site
                .templates
                .first()
                .and_then(|template| Reach::of(template).ok()),
        }
    }
}
