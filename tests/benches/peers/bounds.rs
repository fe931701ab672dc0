//! What this crate is held to, and what was seen.

use crate::build::{Costs, FUNCTIONS};
use crate::measure::Measure;
use crate::results::Results;
use crate::stampede::{BODY_MS, Stampede};
use crate::statistics::Figure;
use crate::table::Table;

/// One bound.
pub(crate) struct Bound {
    pub(crate) what: String,
    pub(crate) limit: String,
    pub(crate) seen: String,
    pub(crate) verdict: Verdict,
}

/// Whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    /// Less than the noise away from the limit, on the wrong side.
    Tie,
    Fails,
}

/// The subject that stands for this crate's hits in the process.
const LOCAL: &str = "local-tier";

const WALL: Figure = |slice| slice.wall;
const CPU: Figure = |slice| slice.cpu;
const P50: Figure = |slice| slice.p50;
const P99: Figure = |slice| slice.p99;

/// All that can be told from what was measured.
pub(crate) fn of(results: &Results) -> Vec<Bound> {
    let mut bounds = Vec::new();
    if let Some(table) = results.table(Measure::LocalArc) {
        bounds.extend(local(table));
        bounds.extend(scaling(table));
    }
    if let Some(table) = results.table(Measure::LocalStruct) {
        bounds.extend(scaling_of_struct(table));
    }
    if let Some(table) = results.table(Measure::RedisHit) {
        bounds.extend(one_at_a_time(table));
        bounds.extend(many_at_a_time(table, 64, 1.6));
        bounds.extend(many_at_a_time(table, 256, 2.2));
    }
    if let Some(table) = results.table(Measure::RedisMiss) {
        bounds.extend(miss(table));
    }
    if let Some(table) = results.table(Measure::Off) {
        bounds.extend(off(table));
    }
    if let Some(table) = results.table(Measure::KeyBuild) {
        bounds.extend(key(table));
    }
    bounds.extend(results.stampede.as_ref().map(stampede));
    if let Some(costs) = &results.build {
        bounds.extend(per_function(costs));
        bounds.extend(clean_build(costs));
    }
    bounds
}

impl Bound {
    fn new(
        what: impl Into<String>,
        limit: impl Into<String>,
        seen: impl Into<String>,
        holds: bool,
    ) -> Self {
        let verdict = if holds {
            Verdict::Holds
        } else {
            Verdict::Fails
        };
        Self {
            what: what.into(),
            limit: limit.into(),
            seen: seen.into(),
            verdict,
        }
    }

    /// A ratio that must stay below a limit; above it by no more than the noise is a tie.
    fn at_most(what: impl Into<String>, limit: f64, ratio: f64, spread: f64) -> Self {
        let mut bound = Self::new(
            what,
            format!("≤ {limit} ×"),
            format!("{ratio:.2} ×"),
            ratio <= limit,
        );
        if bound.verdict == Verdict::Fails && ratio <= limit * (1.0 + spread) {
            bound.verdict = Verdict::Tie;
        }
        bound
    }

    /// The same for one that must stay above a limit.
    fn at_least(what: impl Into<String>, limit: f64, ratio: f64, spread: f64) -> Self {
        let mut bound = Self::new(
            what,
            format!("≥ {limit} ×"),
            format!("{ratio:.2} ×"),
            ratio >= limit,
        );
        if bound.verdict == Verdict::Fails && ratio >= limit / (1.0 + spread) {
            bound.verdict = Verdict::Tie;
        }
        bound
    }
}

fn local(table: &Table) -> Vec<Bound> {
    let Some(ours) = table.row(LOCAL) else {
        return Vec::new();
    };
    let spread = table.spread(0, WALL);
    let mut bounds = Vec::new();
    let mut against = |subject, what: &str, limit| {
        if let Some(row) = table.row(subject) {
            bounds.push(Bound::at_most(
                what,
                limit,
                ours.ratio(row, 0, WALL),
                spread,
            ));
        }
    };
    against(
        "concurrent-cached-key",
        "local hit: time, of `#[concurrent_cached]` with the same key",
        0.7,
    );
    against(
        "concurrent-cached",
        "… of `#[concurrent_cached]` with the bare integer as key",
        0.7,
    );
    against("quick_cache", "… of a bare quick_cache `get`", 2.0);
    if let Some(row) = table.row("cached-client-side") {
        let ratio = row.ratio(ours, 0, WALL);
        bounds.push(Bound::at_least(
            "… speed, of `cached`'s client-side caching",
            15.0,
            ratio,
            spread,
        ));
    }
    bounds
}

fn scaling(table: &Table) -> Option<Bound> {
    let (ours, base) = (table.row(LOCAL)?.gain(), table.base().0.gain());
    let spread = table.spread(1, WALL);
    let mut bound = Bound::at_least("2 threads, `Arc`: gain", 1.0, ours / base, spread);
    bound.limit = format!("≥ quick_cache's, {base:.2} ×");
    bound.seen = format!("{ours:.2} ×");
    Some(bound)
}

fn scaling_of_struct(table: &Table) -> Option<Bound> {
    let ours = table.row(LOCAL)?.gain();
    Some(Bound::at_least(
        "2 threads, struct: gain",
        1.7,
        ours,
        table.spread(1, WALL),
    ))
}

fn one_at_a_time(table: &Table) -> Vec<Bound> {
    let Some(ours) = table.row("ours") else {
        return Vec::new();
    };
    let base = table.base().0;
    let speed = base.ratio(ours, 0, WALL);
    let later = (ours.median(0, P50) - base.median(0, P50)) / 1e3;
    vec![
        Bound::at_least(
            "Redis hit, one at a time: speed, of redis by hand",
            0.97,
            speed,
            table.spread(0, WALL),
        ),
        Bound::new(
            "… p50 after redis by hand",
            "≤ 3 µs",
            format!("{later:.1} µs"),
            later <= 3.0,
        ),
    ]
}

fn many_at_a_time(table: &Table, callers: usize, limit: f64) -> Vec<Bound> {
    let at = table
        .measure
        .callers()
        .iter()
        .position(|count| *count == callers);
    let (Some(ours), Some(at)) = (table.row("ours"), at) else {
        return Vec::new();
    };
    let base = table.base().0;
    let (spread, cpu) = (table.spread(at, WALL), table.spread(at, CPU));
    let what = format!("Redis hit, {callers} at a time: speed, of redis by hand");
    let mut bounds = vec![Bound::at_least(
        what,
        limit,
        base.ratio(ours, at, WALL),
        spread,
    )];
    for (subject, limit) in [("cached-redis", limit), ("hitbox", 3.0)] {
        if let Some(row) = table.row(subject) {
            let what = format!("… of {}", row.label);
            bounds.push(Bound::at_least(
                what,
                limit,
                row.ratio(ours, at, WALL),
                spread,
            ));
        }
    }
    bounds.push(Bound::at_most(
        "… client CPU, of redis by hand",
        0.6,
        ours.ratio(base, at, CPU),
        cpu,
    ));
    let p99 = ours.ratio(base, at, P99);
    bounds.push(Bound::at_most(
        "… p99, of redis by hand",
        1.0,
        p99,
        table.spread(at, P99),
    ));
    bounds
}

fn miss(table: &Table) -> Vec<Bound> {
    let Some(ours) = table.row("ours") else {
        return Vec::new();
    };
    let ratio = ours.ratio(table.base().0, 0, P50);
    let mut bounds = Vec::new();
    if let Some(commands) = &ours.commands {
        let sum: f64 = commands.values().sum();
        // What is done by time, and not by call, is in the sum.
        bounds.push(Bound::new(
            "Redis miss: commands",
            "≤ 3",
            format!("{sum:.2}"),
            sum < 3.05,
        ));
    }
    let what = "… p50, of two round trips (`GET` and `SET` by hand)";
    bounds.push(Bound::at_most(what, 2.2, ratio, table.spread(0, P50)));
    bounds
}

fn off(table: &Table) -> Option<Bound> {
    let more = table.row("off")?.median(0, WALL) - table.base().0.median(0, WALL);
    Some(Bound::new(
        "switched off: time over the plain function",
        "≤ 3 ns",
        format!("{more:.1} ns"),
        more <= 3.0,
    ))
}

fn key(table: &Table) -> Vec<Bound> {
    let Some(ours) = table.row("key") else {
        return Vec::new();
    };
    let time = ours.median(0, WALL);
    let mut bounds = vec![Bound::new(
        "the key `user:<id>`",
        "≤ 10 ns",
        format!("{time:.1} ns"),
        time <= 10.0,
    )];
    if let Some(allocations) = ours.allocations {
        let count = allocations.count;
        bounds.push(Bound::new(
            "… allocations",
            "0",
            format!("{count:.2}"),
            count < 0.005,
        ));
    }
    bounds
}

fn stampede(stampede: &Stampede) -> Bound {
    let limit = 1.3 * BODY_MS + 10.0;
    Bound::new(
        "500 callers of one cold key in four processes",
        format!("1 load, slowest ≤ {limit:.0} ms"),
        format!(
            "{} load, {:.0} ms",
            stampede.most_loads(),
            stampede.slowest_ms()
        ),
        stampede.most_loads() == 1 && stampede.slowest_ms() <= limit,
    )
}

#[allow(clippy::cast_precision_loss, reason = "500")]
fn per_function(costs: &Costs) -> Vec<Bound> {
    let of = |name: &str| {
        costs
            .functions
            .iter()
            .find(|functions| functions.name == name)
    };
    let (Some(plain), Some(ours)) = (of("plain"), of("annotated")) else {
        return Vec::new();
    };
    let millis = |cold: f64, plain: f64| (cold - plain) * 1e3 / FUNCTIONS as f64;
    let own = millis(ours.cold(), plain.cold());
    let peers = ["cached-memory", "cached-redis"].into_iter().filter_map(of);
    let bounds = peers.map(|peer| {
        let theirs = millis(peer.cold(), plain.cold());
        let what = format!("build time of a function, of {}", peer.label);
        Bound::new(
            what,
            format!("≤ {theirs:.1} ms"),
            format!("{own:.1} ms"),
            own <= theirs,
        )
    });
    bounds.collect()
}

fn clean_build(costs: &Costs) -> Vec<Bound> {
    let of = |name: &str| costs.trees.iter().find(|tree| tree.name == name);
    let (Some(plain), Some(again), Some(ours)) = (of("plain"), of("plain-again"), of("ours"))
    else {
        return Vec::new();
    };
    let spread = (again.clean() / plain.clean() - 1.0).abs();
    let crates = ours.crates;
    vec![
        Bound::at_most(
            "clean build, of redis, tokio and serde_json",
            1.2,
            ours.clean() / plain.clean(),
            spread,
        ),
        Bound::new("… crates", "≤ 90", crates.to_string(), crates <= 90),
    ]
}
