//! `BENCHMARKS.md`.

use std::fmt::Write as _;

use clap::ValueEnum as _;
use comfy_table::{CellAlignment, Table as Text, presets};

use crate::bounds::{self, Verdict};
use crate::build::{Costs, Tree};
use crate::codecs::Codecs;
use crate::machine;
use crate::measure::Measure;
use crate::results::Results;
use crate::stampede::{BODY_MS, Stampede};
use crate::statistics::{Comparison, Figure};
use crate::subjects;
use crate::table::{Row, Table};

/// Where it stands.
pub(crate) const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../BENCHMARKS.md");

/// The whole page.
pub(crate) fn of(results: &Results) -> String {
    let mut page = format!(
        "# Benchmarks\n\n\
         Written by `cargo bench -p cache-tests --features peers --bench peers` on {}.\n\n",
        machine::today()
    );
    for line in machine::lines() {
        let _ = writeln!(page, "- {line}");
    }
    let _ = writeln!(page, "- {}\n", machine::crates().join(", "));
    page += &bounds(results);
    for &measure in Measure::value_variants() {
        if let Some(table) = results.table(measure) {
            let _ = write!(page, "## {}\n\n", measure.title());
            page += &if measure.is_remote() {
                remote(table)
            } else {
                local(table)
            };
        }
    }
    if let Some(stampede) = &results.stampede {
        page += &stampeding(stampede);
    }
    if let Some(codecs) = &results.codecs {
        page += &coding(codecs);
    }
    page += &sizes();
    if let Some(costs) = &results.build {
        page += &builds(costs);
    }
    page + METHOD
}

/// What does not change with the figures.
const METHOD: &str = include_str!("method.md");

const WALL: Figure = |slice| slice.wall;
const CPU: Figure = |slice| slice.cpu;
const P50: Figure = |slice| slice.p50;
const P99: Figure = |slice| slice.p99;

/// Calls that take nanoseconds.
fn local(table: &Table) -> String {
    let two = table.measure.callers().len() > 1;
    let mut header = vec!["", "ns per call", "× A"];
    if two {
        header.extend(["2 threads: ns", "× A", "times 1 thread"]);
    }
    header.extend(["allocations", "bytes", "peak memory"]);
    let mut text = text(&header);
    for (i, row) in table.rows.iter().enumerate() {
        let mut cells = vec![label(i, row)];
        for callers in 0..table.measure.callers().len() {
            cells.push(format!("{:.1}", row.median(callers, WALL)));
            cells.push(compared(i, table.compare(row, callers, WALL)));
        }
        if two {
            cells.push(format!("{:.2}", row.gain()));
        }
        let allocations = row.allocations;
        cells.push(allocations.map_or_else(String::new, |of| format!("{:.1}", of.count)));
        cells.push(allocations.map_or_else(String::new, |of| format!("{:.0}", of.bytes)));
        cells.push(memory(row));
        text.add_row(cells);
    }
    format!("{text}\n\n{}", spread(table, &[("time", WALL)]))
}

/// Calls that take microseconds.
fn remote(table: &Table) -> String {
    let mut page = String::new();
    for (callers, count) in table.measure.callers().iter().enumerate() {
        let mut text = text(&[
            "",
            "calls/s",
            "× A",
            "p50 µs",
            "p99 µs",
            "client CPU µs",
            "× A",
            "commands",
            "peak memory",
        ]);
        for (i, row) in table.rows.iter().enumerate() {
            let speed = table.compare(row, callers, WALL);
            text.add_row([
                label(i, row),
                format!("{:.0}", 1e9 / row.median(callers, WALL)),
                compared(i, speed.inverse()),
                micros(row.median(callers, P50)),
                micros(row.median(callers, P99)),
                micros(row.median(callers, CPU)),
                compared(i, table.compare(row, callers, CPU)),
                commands(row),
                memory(row),
            ]);
        }
        if table.measure.callers().len() > 1 {
            let _ = write!(page, "### {count} at a time\n\n");
        }
        let figures = [("calls/s", WALL), ("p50", P50), ("p99", P99), ("CPU", CPU)];
        let _ = write!(page, "{text}\n\n{}", spread_at(table, callers, &figures));
    }
    page
}

/// What was asked for, and what came of it.
fn bounds(results: &Results) -> String {
    let mut text = text(&["", "bound", "seen", "holds"]);
    for bound in bounds::of(results) {
        let verdict = match bound.verdict {
            Verdict::Holds => "yes",
            Verdict::Tie => "tie",
            Verdict::Fails => "**no**",
        };
        text.add_row([bound.what, bound.limit, bound.seen, verdict.to_owned()]);
    }
    format!("## Bounds\n\n{text}\n\n")
}

fn stampeding(stampede: &Stampede) -> String {
    format!(
        "## Stampede\n\nFour processes of 125 callers each, one cold key, a body of {BODY_MS:.0} ms: {} load at most; the slowest \
         caller of all waits {:.0} ms (median of {} times, {}).\n\n",
        stampede.most_loads(),
        stampede.slowest_ms(),
        stampede.rounds(),
        stampede.date
    )
}

fn coding(codecs: &Codecs) -> String {
    let header = [
        "",
        "bytes",
        "encode ns",
        "decode ns",
        "at a fill: ns",
        "at a hit: ns",
    ];
    let mut text = text(&header);
    for row in &codecs.rows {
        let times = row.medians().map(|time| format!("{time:.0}"));
        text.add_row([vec![row.label.clone(), row.bytes.to_string()], times.into()].concat());
    }
    format!(
        "## Codecs\n\nThe codec alone, both ways; then all that is done to a value in this process when it is stored and when it is read. At \
         a fill it is encoded, decoded and compared, then compressed, if it is to be, and sealed. Medians, {}.\n\n{text}\n\n",
        codecs.date
    )
}

/// The size of what a call of an annotated function returns, before it is awaited.
fn sizes() -> String {
    let mut text = text(&["", "bytes"]);
    for (label, bytes) in subjects::sizes() {
        text.add_row([label.to_owned(), bytes.to_string()]);
    }
    format!("## Size of the future of a call\n\n{text}\n\n")
}

fn builds(costs: &Costs) -> String {
    let mut functions = text(&["", "cold", "one changed", "release", "program"]);
    for of in &costs.functions {
        #[allow(
            clippy::cast_precision_loss,
            reason = "a program is less than 2^52 bytes"
        )]
        let megabytes = of.bytes as f64 / 1e6;
        functions.add_row([
            of.label.clone(),
            format!("{:.1} s", of.cold()),
            format!("{:.1} s", of.incremental()),
            format!("{:.1} s", of.release()),
            format!("{megabytes:.1} MB"),
        ]);
    }
    let base = costs.trees.first().map_or(f64::NAN, Tree::clean);
    let mut trees = text(&["", "clean build", "× A", "crates"]);
    for of in &costs.trees {
        trees.add_row([
            of.label.clone(),
            format!("{:.1} s", of.clean()),
            format!("{:.2}", of.clean() / base),
            of.crates.to_string(),
        ]);
    }
    format!(
        "## Build: 500 functions\n\nThe dependencies are built before. Cold and after a change in one function with the profile for \
         development; the program is a stripped release build.\n\n{functions}\n\n\
         ## Build: the dependencies\n\nA program that uses none of them, from nothing, with the profile for development. Crates as `cargo \
         tree --edges normal` lists them.\n\n{trees}\n\nMedians of several builds, {}.\n\n",
        costs.date
    )
}

fn text(header: &[&str]) -> Text {
    let mut text = Text::new();
    text.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in text.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    text
}

fn label(i: usize, row: &Row) -> String {
    match i {
        0 => format!("A: {}", row.label),
        1 => "A, measured again".to_owned(),
        _ => row.label.clone(),
    }
}

/// A ratio, or that it is none.
fn compared(i: usize, comparison: Comparison) -> String {
    match comparison {
        _ if i == 0 => "1".to_owned(),
        _ if i == 1 => format!("{:.2}", comparison.ratio),
        tie if tie.is_tie() => format!("tie ({:.2})", tie.ratio),
        other => format!("{:.2}", other.ratio),
    }
}

fn micros(nanos: f64) -> String {
    format!("{:.1}", nanos / 1e3)
}

fn memory(row: &Row) -> String {
    #[allow(clippy::cast_precision_loss, reason = "memory is less than 2^52 bytes")]
    let megabytes = row.peak_memory.map(|bytes| bytes as f64 / 1e6);
    megabytes.map_or_else(String::new, |megabytes| format!("{megabytes:.1} MB"))
}

fn commands(row: &Row) -> String {
    let each = row
        .commands
        .iter()
        .flatten()
        .map(|(name, count)| match count.round() {
            1.0 => name.clone(),
            many if (many - count).abs() < 0.02 => format!("{many} {name}"),
            _ => format!("{count:.2} {name}"),
        });
    each.collect::<Vec<_>>().join(", ")
}

fn spread(table: &Table, figures: &[(&str, Figure)]) -> String {
    let each = table
        .measure
        .callers()
        .iter()
        .enumerate()
        .map(|(i, count)| {
            let (_, figure) = figures[0];
            let spread = table.spread(i, figure) * 100.0;
            if *count == 1 {
                format!("±{spread:.1} %")
            } else {
                format!("±{spread:.1} % with {count} threads")
            }
        });
    noise(&each.collect::<Vec<_>>(), table)
}

fn spread_at(table: &Table, callers: usize, figures: &[(&str, Figure)]) -> String {
    let each = figures
        .iter()
        .map(|(name, figure)| format!("{name} ±{:.1} %", table.spread(callers, *figure) * 100.0));
    noise(&each.collect::<Vec<_>>(), table)
}

fn noise(each: &[String], table: &Table) -> String {
    let rounds = table.rows[0].slices[0].len();
    let load = table.load.map_or_else(String::new, |load| {
        format!(", load of the machine before: {load:.1}")
    });
    format!(
        "Noise (A against A): {}; {rounds} rounds, {}{load}.\n\n",
        each.join(", "),
        table.date
    )
}
