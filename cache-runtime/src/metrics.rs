//! What the cache counts, for the `metrics` facade: see the [guide](crate::guide::metrics), which lists every metric.
//!
//! The cache counts and times by itself, always. [`publish`] copies that into the recorder when somebody asks for it, so that no call of a
//! cached function does anything for it.

use std::time::Duration;

use metrics::{Label, SharedString, Unit, counter, describe_counter, describe_gauge, gauge};

use crate::cache::Cache;
use crate::latency::Latency;
use crate::snapshot::{Breaker, Measured, SiteSnapshot};
use crate::stats::Stats;
use crate::switch::Mode;

/// The upper bounds of the histograms, in microseconds.
const BOUNDS: [u64; 15] = [
    1, 5, 25, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000,
    10_000_000,
];

/// The function of the series that count direct calls, which no annotated function made, and what the cache does by itself.
const DIRECT: &str = "direct";

/// Copies what a cache has counted into the recorder of the `metrics` crate: the one in force on this thread, or the global one.
///
/// To be called when the metrics are scraped or pushed, before they are rendered. Counters are set to what they are, not added to: how
/// often this is called makes no difference. It takes some microseconds for each annotated function, and one series for each counter of
/// each: as many as the program has annotations, however many keys there are.
///
/// ```
/// # fn render() {
/// use cache_runtime::{global, metrics};
///
/// metrics::publish(global());
/// // … then render what the recorder has: with `metrics-exporter-prometheus`, `handle.render()`.
/// # }
/// ```
pub fn publish(cache: &Cache) {
    let snapshot = cache.snapshot();
    let namespace: SharedString = snapshot.namespace.clone().into();
    let flag = |name: &'static str, help: &'static str, is_set: bool| {
        describe_gauge!(name, help);
        let labels = vec![Label::new("namespace", namespace.clone())];
        gauge!(name, labels).set(if is_set { 1.0 } else { 0.0 });
    };
    flag(
        "cache_on",
        "Whether this process answers from the cache.",
        snapshot.mode == Mode::On,
    );
    flag(
        "cache_fleet_on",
        "Whether the switch of the fleet is on.",
        snapshot.fleet.on,
    );
    flag(
        "cache_breaker_open",
        "Whether the store is not asked, because it did not answer.",
        snapshot.breaker == Breaker::Open,
    );
    describe_gauge!(
        "cache_undelivered_invalidations",
        "Invalidations that the store has not taken yet."
    );
    #[allow(clippy::cast_precision_loss, reason = "at most 10 000")]
    gauge!("cache_undelivered_invalidations", "namespace" => namespace.clone())
        .set(snapshot.undelivered as f64);

    describe();
    for site in together(&snapshot.call_sites) {
        let labels = Labels::of(&namespace, &site);
        let is_read = site.effect == "cached";
        labels.publish(&site.measured, is_read);
        if is_read {
            let off = if site.off { 1.0 } else { 0.0 };
            gauge!("cache_template_off", labels.with(None)).set(off);
        }
    }
    let direct = cache.inner.counters.measured();
    Labels::direct(&namespace).publish(&direct, true);
}

/// The call sites, those of one name as one: two methods of a module may share it, and would overwrite each other.
fn together(sites: &[SiteSnapshot]) -> Vec<SiteSnapshot> {
    let mut all: Vec<SiteSnapshot> = Vec::with_capacity(sites.len());
    for site in sites {
        let same = |other: &&mut SiteSnapshot| {
            (other.function, other.effect, &other.templates)
                == (site.function, site.effect, &site.templates)
        };
        let of_function = |other: &&mut SiteSnapshot| other.function == site.function;
        // They stand in the order of their names.
        match all.iter_mut().rev().take_while(of_function).find(same) {
            Some(other) => other.measured += &site.measured,
            None => all.push(site.clone()),
        }
    }
    all
}

/// Says what the counters mean, to recorders that pass it on.
fn describe() {
    describe_counter!(
        "cache_calls_total",
        "Calls that went through the cache, by what became of them."
    );
    describe_counter!(
        "cache_loads_total",
        "Runs of the body that have ended, by whether they returned an error."
    );
    describe_counter!(
        "cache_revalidations_total",
        "Loads to replace a value at or near the end of its TTL."
    );
    describe_counter!(
        "cache_fills_total",
        "Values that were to be stored, by what became of them."
    );
    describe_counter!(
        "cache_unusable_values_total",
        "Values that were found and are none for the call, by why."
    );
    describe_counter!(
        "cache_verifications_total",
        "Hits that were held against their source, by what was found."
    );
    describe_counter!(
        "cache_invalidations_total",
        "Keys invalidated, by whether the store took it at once."
    );
    describe_counter!(
        "cache_store_errors_total",
        "Operations that the store failed to carry out, by kind."
    );
    describe_counter!(
        "cache_store_bytes_total",
        Unit::Bytes,
        "Bytes of encoded values, read and written."
    );
    describe_counter!(
        "cache_hit_duration_seconds_bucket",
        "Calls answered from the cache within `le` seconds."
    );
    describe_counter!(
        "cache_load_duration_seconds_bucket",
        "Runs of the body that took at most `le` seconds."
    );
    describe_gauge!(
        "cache_load_duration_seconds_sum",
        Unit::Seconds,
        "The time of all runs of the body."
    );
    describe_gauge!(
        "cache_template_off",
        "Whether the template is switched off in the fleet."
    );
}

/// The labels of one call site.
struct Labels(Vec<Label>);

impl Labels {
    fn of(namespace: &SharedString, site: &SiteSnapshot) -> Self {
        let template = match &site.templates[..] {
            [template] => SharedString::from(*template),
            templates => templates.join(", ").into(),
        };
        Self::new(namespace, site.function, template)
    }

    fn direct(namespace: &SharedString) -> Self {
        Self::new(namespace, DIRECT, "".into())
    }

    fn new(namespace: &SharedString, function: &'static str, template: SharedString) -> Self {
        Self(vec![
            Label::new("namespace", namespace.clone()),
            Label::new("function", function),
            Label::new("template", template),
        ])
    }

    fn with(&self, more: Option<(&'static str, SharedString)>) -> Vec<Label> {
        let more = more.map(|(name, value)| Label::new(name, value));
        self.0.iter().cloned().chain(more).collect()
    }

    fn publish(&self, measured: &Measured, is_read: bool) {
        let stats = &measured.stats;
        let set = |name: &'static str, label: &'static str, all: &[(&'static str, u64)]| {
            for (value, count) in all {
                let labels = self.with(Some((label, SharedString::from(*value))));
                counter!(name, labels).absolute(*count);
            }
        };
        if is_read {
            set("cache_calls_total", "outcome", &outcomes(stats));
            let loads = [("ok", stats.loads_ok), ("error", stats.load_errors)];
            set("cache_loads_total", "result", &loads);
            counter!("cache_revalidations_total", self.with(None)).absolute(stats.revalidations);
            let unusable = [
                ("unreadable", stats.unreadable),
                ("outdated", stats.outdated),
            ];
            set("cache_unusable_values_total", "reason", &unusable);
            let verified = [
                ("same", stats.verified),
                ("mismatch", stats.mismatches),
                ("unknown", stats.unverified),
            ];
            set("cache_verifications_total", "result", &verified);
            self.histogram("cache_hit_duration_seconds_bucket", &measured.hits);
            self.histogram("cache_load_duration_seconds_bucket", &measured.loads);
            let sum = measured.loads.total().as_secs_f64();
            gauge!("cache_load_duration_seconds_sum", self.with(None)).set(sum);
        }
        let fills = [
            ("stored", stats.fills),
            ("refused", stats.fills_refused),
            ("too_large", stats.too_large),
            ("unencodable", stats.unencodable),
        ];
        set("cache_fills_total", "result", &fills);
        let invalidations = [
            ("delivered", stats.invalidations),
            ("queued", stats.invalidations_queued),
            ("dropped", stats.invalidations_dropped),
        ];
        set("cache_invalidations_total", "result", &invalidations);
        set("cache_store_errors_total", "kind", &errors(stats));
        let bytes = [("read", stats.bytes_read), ("written", stats.bytes_written)];
        set("cache_store_bytes_total", "direction", &bytes);
    }

    /// A histogram as the cumulative counters that Prometheus makes quantiles of.
    fn histogram(&self, name: &'static str, latency: &Latency) {
        for bound in BOUNDS {
            let bound = Duration::from_micros(bound);
            let within = latency
                .buckets()
                .take_while(|(longest, _)| *longest <= bound);
            let count = within.map(|(_, count)| count).sum();
            let le = bound.as_secs_f64().to_string();
            counter!(name, self.with(Some(("le", le.into())))).absolute(count);
        }
        counter!(name, self.with(Some(("le", "+Inf".into())))).absolute(latency.count());
    }
}

/// Of each call, one: their sum is [`Stats::calls`].
fn outcomes(stats: &Stats) -> [(&'static str, u64); 14] {
    [
        ("hit", stats.hits),
        ("local_hit", stats.local_hits),
        ("stale_hit", stats.stale_hits),
        ("miss", stats.misses),
        ("join", stats.joins),
        ("refresh", stats.refreshes),
        ("unanswered", stats.unanswered),
        ("cancelled", stats.cancelled),
        ("bypass_asked", stats.bypasses_asked),
        ("bypass_transaction", stats.bypasses_transaction),
        ("bypass_fenced", stats.bypasses_fenced),
        ("bypass_waited", stats.bypasses_waited),
        ("bypass_failed", stats.bypasses_failed),
        ("bypass_store", stats.bypasses_store),
    ]
}

/// Their sum is [`Stats::store_errors`].
fn errors(stats: &Stats) -> [(&'static str, u64); 6] {
    [
        ("timeout", stats.errors_timeout),
        ("unavailable", stats.errors_unavailable),
        ("rejected", stats.errors_rejected),
        ("garbled", stats.errors_garbled),
        ("breaker_open", stats.errors_breaker_open),
        ("other", stats.errors_other),
    ]
}
