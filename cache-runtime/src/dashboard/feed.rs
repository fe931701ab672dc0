//! What viewers are sent: a frame each second, made once for all of them, while there is one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::sync::watch;

use crate::cache::Cache;
use crate::clock::unix_ms;
use crate::latency::Latency;
use crate::lock::lock;
use crate::snapshot::{Measured, SiteSnapshot, Snapshot};
use crate::solo::Solo;
use crate::switch::Mode;
use crate::timer;

/// Between two frames.
const PACE: Duration = Duration::from_secs(1);

/// How many frames of the past a new viewer is given: 15 minutes.
const KEPT: usize = 900;

/// How many look at a time.
const MAX_VIEWERS: usize = 64;

/// A frame: few and short names, for it is sent each second.
#[derive(Clone, Debug, Serialize)]
struct Frame {
    #[serde(flatten)]
    whole: Whole,
    breaker: crate::snapshot::Breaker,
    mode: Mode,
    /// Whether the fleet is on.
    fleet: bool,
    undelivered: usize,
    /// When the last change was, in milliseconds since 1970: the page asks for them if it is another than before.
    changed: u64,
    sites: Vec<Site>,
}

/// Of the whole cache, at a time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Whole {
    /// In milliseconds since 1970.
    at: u64,
    #[serde(flatten)]
    figures: Figures,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Figures {
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

/// Of one call site, by its place in the snapshot.
#[derive(Clone, Debug, Serialize)]
struct Site {
    function: &'static str,
    place: String,
    effect: &'static str,
    templates: Vec<&'static str>,
    off: bool,
    ttl: Option<f64>,
    invalidations: u64,
    #[serde(flatten)]
    figures: Figures,
}

impl Figures {
    fn of(measured: &Measured) -> Self {
        let stats = &measured.stats;
        let micros = |latency: &Latency, share| {
            let time = latency.quantile(share);
            time.map(|time| time.as_secs_f64() * 1e6)
        };
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

impl Site {
    fn of(site: &SiteSnapshot) -> Self {
        Self {
            function: site.function,
            place: format!("{}:{}", site.file, site.line),
            effect: site.effect,
            templates: site.templates.clone(),
            off: site.off,
            ttl: site
                .ttl
                .filter(|ttl| !ttl.is_zero())
                .map(|ttl| ttl.as_secs_f64()),
            invalidations: site.measured.stats.invalidations,
            figures: Figures::of(&site.measured),
        }
    }
}

/// The frames of one dashboard.
pub(super) struct Feed(Arc<Inner>);

struct Inner {
    cache: Cache,
    latest: watch::Sender<Arc<str>>,
    past: Mutex<VecDeque<Whole>>,
    viewers: AtomicUsize,
    sampler: Solo,
}

/// One who looks, until it is dropped.
pub(super) struct Viewer {
    feed: Arc<Inner>,
    frames: watch::Receiver<Arc<str>>,
}

impl Feed {
    pub(super) fn new(cache: Cache) -> Self {
        Self(Arc::new(Inner {
            cache,
            latest: watch::Sender::new("".into()),
            past: Mutex::default(),
            viewers: AtomicUsize::new(0),
            sampler: Solo::default(),
        }))
    }

    /// What was sent in the last minutes.
    pub(super) fn past(&self) -> Vec<Whole> {
        lock(&self.0.past).iter().copied().collect()
    }

    /// One more who looks; `None` if there are too many.
    pub(super) fn view(&self) -> Option<Viewer> {
        let others = self.0.viewers.fetch_add(1, Ordering::SeqCst);
        let viewer = Viewer {
            feed: self.0.clone(),
            frames: self.0.latest.subscribe(),
        };
        if others >= MAX_VIEWERS {
            return None;
        }
        self.0.sample_on();
        Some(viewer)
    }
}

impl Viewer {
    /// The next frame. One that came while nobody waited is left out.
    pub(super) async fn next(&mut self) -> Option<Arc<str>> {
        // The sender lives as long as this does.
        self.frames.changed().await.ok()?;
        Some(self.frames.borrow_and_update().clone())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.feed.viewers.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Inner {
    /// Starts the task that makes the frames, unless it runs. It ends when nobody looks.
    fn sample_on(self: &Arc<Self>) {
        let Some(turn) = self.sampler.begin() else {
            return;
        };
        let feed: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            while turn.go_on() {
                let Some(feed) = feed.upgrade() else {
                    return;
                };
                if feed.viewers.load(Ordering::SeqCst) == 0 {
                    drop(turn);
                    // Somebody may have come after the look and before the turn ended.
                    if feed.viewers.load(Ordering::SeqCst) > 0 {
                        feed.sample_on();
                    }
                    return;
                }
                feed.sample();
                drop(feed);
                timer::sleep(PACE).await;
            }
        });
    }

    fn sample(&self) {
        let snapshot = self.cache.snapshot();
        let frame = self.frame(&snapshot);
        let mut past = lock(&self.past);
        if past.len() >= KEPT {
            past.pop_front();
        }
        past.push_back(frame.whole);
        drop(past);
        if let Ok(text) = serde_json::to_string(&frame) {
            self.latest.send_replace(text.into());
        }
    }

    fn frame(&self, snapshot: &Snapshot) -> Frame {
        Frame {
            whole: Whole {
                at: unix_ms(SystemTime::now()),
                figures: Figures::of(&snapshot.total),
            },
            breaker: snapshot.breaker,
            mode: snapshot.mode,
            fleet: snapshot.fleet.on,
            undelivered: snapshot.undelivered,
            changed: self
                .cache
                .changes()
                .last()
                .map_or(0, |change| unix_ms(change.at)),
            sites: snapshot.call_sites.iter().map(Site::of).collect(),
        }
    }
}
