//! Latency over time, before and after, as a picture.

use std::fs;
use std::path::Path;

use hdrhistogram::Histogram;
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use crate::phase::{Outcome, Phase};

const SIZE: (u32, u32) = (1_120, 560);
const LEGEND_WIDTH: u32 = 160;
const FONT: &str = "sans-serif";
const GREY: RGBColor = RGBColor(110, 110, 110);

/// The target for p99, in milliseconds.
const TARGET: f64 = 100.0;

/// Draws p50 and p99 of each second of each phase.
pub(crate) fn draw(path: &Path, outcomes: &[Outcome]) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    draw_on(&area, outcomes).map_err(|error| anyhow::anyhow!("{error}"))?;
    area.present()?;
    Ok(())
}

fn draw_on<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    outcomes: &[Outcome],
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
    area.fill(&WHITE)?;
    let (area, legend) = area.split_horizontally(SIZE.0 - LEGEND_WIDTH);
    let lines: Vec<Line> = outcomes.iter().flat_map(Line::both).collect();
    let highest = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.1)
        .fold(TARGET, f64::max);
    let lowest = lines
        .iter()
        .flat_map(|line| &line.points)
        .map(|point| point.1)
        .fold(1.0, f64::min);
    let warm_up = outcomes
        .iter()
        .map(|outcome| outcome.warm_up.as_secs_f64())
        .fold(0.0, f64::max);
    let end = outcomes
        .iter()
        .map(|outcome| outcome.measured.as_secs_f64())
        .fold(1.0, f64::max);

    let bottom = decade_below(lowest);
    let top = 10.0 * decade_below(highest);
    let mut chart = ChartBuilder::on(&area)
        .caption("Response time of the web-api example", (FONT, 24))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(76)
        .build_cartesian_2d(-warm_up..end, (bottom..top).log_scale())?;

    let warming_up = Rectangle::new([(-warm_up, bottom), (0.0, top)], GREY.mix(0.08).filled());
    chart.draw_series([warming_up])?;
    chart
        .configure_mesh()
        .x_desc("seconds since the measurement began (grey: warm-up, not counted)")
        .x_labels(12)
        .x_label_formatter(&|second| format!("{second:.0}"))
        .y_label_formatter(&|value| milliseconds(*value))
        .label_style((FONT, 15))
        .axis_desc_style((FONT, 16))
        .bold_line_style(GREY.mix(0.3))
        .light_line_style(GREY.mix(0.08))
        .draw()?;

    let target = DashedLineSeries::new(
        [(-warm_up, TARGET), (end, TARGET)],
        2,
        4,
        BLACK.stroke_width(1),
    );
    chart.draw_series(target)?;
    for line in &lines {
        chart.draw_series(LineSeries::new(line.points.iter().copied(), line.style))?;
    }

    // Beside the chart: wherever it stood inside, it would hide a line of one run or another.
    let mut rows = (80..).step_by(26);
    for (line, y) in lines.iter().zip(&mut rows) {
        legend.draw(&PathElement::new([(0, y), (28, y)], line.style))?;
        legend.draw(&Text::new(line.name.as_str(), (36, y - 8), (FONT, 15)))?;
    }
    if let Some(y) = rows.next() {
        legend.draw(&DashedPathElement::new([(0, y), (28, y)], 2, 4, BLACK))?;
        legend.draw(&Text::new("target for p99", (36, y - 8), (FONT, 15)))?;
    }
    Ok(())
}

/// One quantile of one phase.
struct Line {
    name: String,
    style: ShapeStyle,
    /// Seconds since the measurement began, and milliseconds.
    points: Vec<(f64, f64)>,
}

impl Line {
    fn both(outcome: &Outcome) -> [Self; 2] {
        let color = match outcome.phase {
            Phase::CacheOff => RGBColor(200, 80, 30),
            Phase::CacheOn | Phase::Given => RGBColor(20, 100, 190),
        };
        [
            (0.99, "p99", color.mix(0.55).stroke_width(2)),
            (0.5, "p50", color.stroke_width(3)),
        ]
        .map(|(quantile, name, style)| Self {
            name: format!("{}, {name}", outcome.phase),
            style,
            points: points(outcome, quantile),
        })
    }
}

/// Each second stands at its middle; one in which nothing was answered is left out.
#[allow(clippy::cast_precision_loss)]
fn points(outcome: &Outcome, quantile: f64) -> Vec<(f64, f64)> {
    let value = |histogram: &Histogram<u64>| histogram.value_at_quantile(quantile) as f64 / 1e3;
    let seconds = outcome.recorded.by_second.iter().enumerate();
    seconds
        .filter(|(_, histogram)| !histogram.is_empty())
        .map(|(second, histogram)| {
            let at = second as f64 + 0.5 - outcome.warm_up.as_secs_f64();
            (at, value(histogram).max(1e-3))
        })
        .collect()
}

fn decade_below(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

fn milliseconds(value: f64) -> String {
    if value >= 1e3 {
        format!("{} s", value / 1e3)
    } else {
        format!("{value} ms")
    }
}
