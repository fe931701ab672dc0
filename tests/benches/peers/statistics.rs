//! Medians over the rounds, and what is more than noise.

use crate::table::{Row, Table};
use crate::workload::Slice;

/// One figure of a slice; less is better.
pub(crate) type Figure = fn(&Slice) -> f64;

/// The median; not a number if there are none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => values[len / 2],
        len => f64::midpoint(values[len / 2 - 1], values[len / 2]),
    }
}

impl Row {
    /// The median of a figure over the rounds. `callers` is an index into those of the measure.
    pub(crate) fn median(&self, callers: usize, figure: Figure) -> f64 {
        median(self.slices[callers].iter().map(figure))
    }

    /// How many times the other's figure this one's is: the median of what it was in each round, so that a slow
    /// minute of the machine is in both.
    pub(crate) fn ratio(&self, other: &Self, callers: usize, figure: Figure) -> f64 {
        median(self.ratios(other, callers, figure))
    }

    /// How many times as many calls two threads make as one.
    pub(crate) fn gain(&self) -> f64 {
        let pairs = self.slices[0].iter().zip(&self.slices[1]);
        median(pairs.map(|(one, two)| one.wall / two.wall))
    }

    fn ratios<'a>(
        &'a self,
        other: &'a Self,
        callers: usize,
        figure: Figure,
    ) -> impl Iterator<Item = f64> + 'a {
        let pairs = self.slices[callers].iter().zip(&other.slices[callers]);
        pairs.map(move |(own, other)| figure(own) / figure(other))
    }
}

impl Table {
    /// The noise: how far the two rows of the base are apart in a typical round.
    pub(crate) fn spread(&self, callers: usize, figure: Figure) -> f64 {
        let (base, again) = self.base();
        median(
            again
                .ratios(base, callers, figure)
                .map(|ratio| (ratio - 1.0).abs()),
        )
    }

    /// How a row compares with the base.
    pub(crate) fn compare(&self, row: &Row, callers: usize, figure: Figure) -> Comparison {
        Comparison {
            ratio: row.ratio(self.base().0, callers, figure),
            spread: self.spread(callers, figure),
        }
    }
}

/// A ratio, and the noise that it must stand out of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub(crate) ratio: f64,
    pub(crate) spread: f64,
}

impl Comparison {
    /// The same, said of speed and not of time.
    pub(crate) fn inverse(self) -> Self {
        Self {
            ratio: self.ratio.recip(),
            ..self
        }
    }

    /// Whether the difference is no more than noise.
    pub(crate) fn is_tie(self) -> bool {
        (self.ratio - 1.0).abs() <= self.spread
    }
}
