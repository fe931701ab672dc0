//! The figures, as tables and as JSON.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::measures::Measures;
use crate::phase::{Load, Outcome, Phase};
use crate::recorder::Kind;
use crate::stats::Work;

/// All figures of a test.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    load: String,
    phases: Vec<Figures<'a>>,
    measures: &'a Measures,
}

/// The figures of one phase.
#[derive(Debug, Serialize)]
struct Figures<'a> {
    phase: Phase,
    warm_up_seconds: u64,
    measured_seconds: u64,
    requests: u64,
    requests_per_second: f64,
    queries_per_second: f64,
    queries_per_request: f64,
    hit_ratio: Option<f64>,
    latency: Latency,
    by_kind: Vec<KindFigures>,
    errors: u64,
    wrong_answers: u64,
    failures: &'a [String],
    service: &'a Work,
}

#[derive(Debug, Serialize)]
struct KindFigures {
    kind: String,
    requests: u64,
    latency: Latency,
}

/// Picks one figure of a phase.
type Figure = fn(&Figures<'_>) -> Option<f64>;

/// A row of the table that compares the phases.
struct Row {
    name: &'static str,
    figure: Figure,
    unit: Unit,
    change: Change,
}

/// How a figure is written.
#[derive(Clone, Copy)]
enum Unit {
    Count,
    Ratio,
    Percent,
    Milliseconds,
}

/// How what the cache changed is written.
#[derive(Clone, Copy)]
enum Change {
    /// How many times as much.
    Growth,
    /// How much less, in percent.
    Reduction,
    /// How many times faster.
    SpeedUp,
    None,
}

impl Row {
    const fn new(name: &'static str, figure: Figure, unit: Unit, change: Change) -> Self {
        Self {
            name,
            figure,
            unit,
            change,
        }
    }
}

#[rustfmt::skip]
#[allow(clippy::cast_precision_loss)]
const ROWS: [Row; 12] = [
    Row::new("requests", |of| Some(of.requests as f64), Unit::Count, Change::Growth),
    Row::new("requests per second", |of| Some(of.requests_per_second), Unit::Count, Change::Growth),
    Row::new("database queries per second", |of| Some(of.queries_per_second), Unit::Count, Change::Reduction),
    Row::new("database queries per request", |of| Some(of.queries_per_request), Unit::Ratio, Change::Reduction),
    Row::new("hit ratio", |of| of.hit_ratio, Unit::Percent, Change::None),
    Row::new("mean", |of| Some(of.latency.mean), Unit::Milliseconds, Change::SpeedUp),
    Row::new("p50", |of| Some(of.latency.p50), Unit::Milliseconds, Change::SpeedUp),
    Row::new("p90", |of| Some(of.latency.p90), Unit::Milliseconds, Change::SpeedUp),
    Row::new("p99", |of| Some(of.latency.p99), Unit::Milliseconds, Change::SpeedUp),
    Row::new("slowest", |of| Some(of.latency.max), Unit::Milliseconds, Change::SpeedUp),
    Row::new("errors", |of| Some(of.errors as f64), Unit::Count, Change::None),
    Row::new("stale or wrong answers", |of| Some(of.wrong_answers as f64), Unit::Count, Change::None),
];

impl Unit {
    fn of(self, figure: Option<f64>) -> String {
        let Some(figure) = figure else {
            return "-".to_owned();
        };
        match self {
            Self::Count => format!("{figure:.0}"),
            Self::Ratio => format!("{figure:.3}"),
            Self::Percent => format!("{:.1} %", figure * 100.0),
            Self::Milliseconds => format!("{figure:.2} ms"),
        }
    }
}

impl Change {
    fn of(self, off: Option<f64>, on: Option<f64>) -> String {
        let (Some(off), Some(on)) = (off, on) else {
            return String::new();
        };
        match self {
            Self::Growth => format!("{:.1} x", on / off),
            Self::Reduction => format!("{:+.1} %", (on / off - 1.0) * 100.0),
            Self::SpeedUp => format!("{:.1} x faster", off / on),
            Self::None => String::new(),
        }
    }
}

/// In milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
struct Latency {
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

impl Latency {
    #[allow(clippy::cast_precision_loss)]
    fn of(histogram: &Histogram<u64>) -> Self {
        let quantile = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e3;
        Self {
            mean: histogram.mean() / 1e3,
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            max: histogram.max() as f64 / 1e3,
        }
    }
}

impl<'a> Report<'a> {
    pub(crate) fn new(load: &Load, outcomes: &'a [Outcome], measures: &'a Measures) -> Self {
        Self {
            load: load.to_string(),
            phases: outcomes.iter().map(Figures::of).collect(),
            measures,
        }
    }

    pub(crate) fn write_json(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl<'a> Figures<'a> {
    fn of(outcome: &'a Outcome) -> Self {
        let recorded = &outcome.recorded;
        let by_kind = Kind::ALL.into_iter().zip(&recorded.by_kind);
        Self {
            phase: outcome.phase,
            warm_up_seconds: outcome.warm_up.as_secs(),
            measured_seconds: outcome.measured.as_secs(),
            requests: recorded.all.len(),
            requests_per_second: outcome.requests_per_second(),
            queries_per_second: outcome.queries_per_second(),
            queries_per_request: outcome.queries_per_request(),
            hit_ratio: outcome.work.calls.hit_ratio(),
            latency: Latency::of(&recorded.all),
            by_kind: by_kind
                .map(|(kind, histogram)| KindFigures {
                    kind: kind.to_string(),
                    requests: histogram.len(),
                    latency: Latency::of(histogram),
                })
                .collect(),
            errors: recorded.errors,
            wrong_answers: recorded.wrong,
            failures: &recorded.examples,
            service: &outcome.work,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.phases())?;
        if self.change().is_some() {
            writeln!(
                formatter,
                "What counts is queries per request: per second, the faster service is asked more often."
            )?;
        }
        writeln!(formatter)?;
        writeln!(formatter, "{}\n", self.kinds())?;
        let works = self.phases.iter().map(|figures| figures.service);
        writeln!(formatter, "{}\n", templates(works))?;
        if let Some(last) = self.phases.last() {
            writeln!(formatter, "{}\n", shown(last.service))?;
        }
        write!(formatter, "{}", judgement(self.measures))?;
        for figures in &self.phases {
            for failure in figures.failures {
                write!(formatter, "\n{}: {failure}", figures.phase)?;
            }
        }
        Ok(())
    }
}

impl<'a> Report<'a> {
    /// One column per phase, and one for what the cache changed.
    fn phases(&self) -> Table {
        let mut table = table();
        let names = self.phases.iter().map(|figures| figures.phase.to_string());
        let change = self.change().map(|_| "change".to_owned());
        table.set_header([String::new()].into_iter().chain(names).chain(change));
        for row in ROWS {
            let cells = self.phases.iter().map(|of| row.unit.of((row.figure)(of)));
            let change = self
                .change()
                .map(|(off, on)| row.change.of((row.figure)(off), (row.figure)(on)));
            table.add_row([row.name.to_owned()].into_iter().chain(cells).chain(change));
        }
        align_right(table)
    }

    /// The two phases to compare, if there are two.
    fn change(&self) -> Option<(&Figures<'a>, &Figures<'a>)> {
        match self.phases.as_slice() {
            [off, on] => Some((off, on)),
            _ => None,
        }
    }

    /// One row per kind, mean and p99 of each phase.
    fn kinds(&self) -> Table {
        let mut table = table();
        let header = self.phases.iter().flat_map(|figures| {
            let phase = figures.phase;
            [
                format!("{phase}: requests"),
                "mean".to_owned(),
                "p99".to_owned(),
            ]
        });
        table.set_header([String::new()].into_iter().chain(header));
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            let cells = self.phases.iter().flat_map(|figures| {
                let of = &figures.by_kind[index];
                [
                    of.requests.to_string(),
                    Unit::Milliseconds.of(Some(of.latency.mean)),
                    Unit::Milliseconds.of(Some(of.latency.p99)),
                ]
            });
            table.add_row([kind.to_string()].into_iter().chain(cells));
        }
        align_right(table)
    }
}

/// One row per key template and phase in which it was used.
pub(crate) fn templates<'w>(phases: impl Iterator<Item = &'w Work>) -> Table {
    let mut table = table();
    table.set_header(["cached as", "calls", "hit ratio"]);
    for site in phases.flat_map(|work| &work.by_template) {
        let (calls, ratio) = (site.calls.all(), site.calls.hit_ratio());
        table.add_row([
            site.template.clone(),
            calls.to_string(),
            Unit::Percent.of(ratio),
        ]);
    }
    align_right(table)
}

/// What the dashboard of the service showed in the end: of all since it started.
pub(crate) fn shown(work: &Work) -> Table {
    let mut table = table();
    table.set_header([
        "since the service started, as its dashboard shows it",
        "calls",
        "hit ratio",
        "loads",
        "load p50",
        "load p99",
        "time saved",
        "errors",
        "stale",
    ]);
    for row in &work.shown {
        let saved = row.seconds_saved.map(|seconds| format!("{seconds:.1} s"));
        let stale = row.stale.map(|count| count.to_string());
        table.add_row([
            row.template.clone(),
            row.calls.to_string(),
            Unit::Percent.of(row.hit_ratio),
            row.loads.to_string(),
            Unit::Milliseconds.of(row.load_p50_ms),
            Unit::Milliseconds.of(row.load_p99_ms),
            saved.unwrap_or_else(|| "-".to_owned()),
            row.store_errors.to_string(),
            stale.unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    align_right(table)
}

/// The measures of success.
pub(crate) fn judgement(measures: &Measures) -> Table {
    let mut table = table();
    table.set_header(["measure of success", "target", "measured", ""]);
    for measure in &measures.0 {
        let verdict = if measure.met { "pass" } else { "FAIL" };
        table.add_row([measure.name, &measure.target, &measure.measured, verdict]);
    }
    align_right(table)
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table
}

/// All columns but the first hold figures.
fn align_right(mut table: Table) -> Table {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
