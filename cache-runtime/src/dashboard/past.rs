//! The last 15 minutes, for a viewer who has just come.

use std::collections::VecDeque;

use super::frame::Whole;

/// How long a point of the past is kept, in milliseconds.
const AGE: u64 = 15 * 60 * 1000;

/// How many are kept, at one a second.
const KEPT: usize = 900;

/// What was sent, the oldest first. Nothing is added while nobody looks, so that it may have gaps.
#[derive(Default)]
pub(super) struct Past(VecDeque<Whole>);

impl Past {
    pub(super) fn add(&mut self, whole: Whole) {
        self.forget(whole.at);
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(whole);
    }

    /// All of it, where it is `now`, in milliseconds since 1970.
    pub(super) fn all(&mut self, now: u64) -> Vec<Whole> {
        self.forget(now);
        self.0.iter().copied().collect()
    }

    fn forget(&mut self, now: u64) {
        self.0.retain(|whole| now.saturating_sub(whole.at) <= AGE);
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Figures;
    use super::*;
    use crate::snapshot::Measured;

    fn at(at: u64) -> Whole {
        let figures = Figures::of(&Measured::default());
        Whole { at, figures }
    }

    #[test]
    fn what_is_older_than_a_quarter_of_an_hour_is_gone() {
        let mut past = Past::default();
        past.add(at(0));
        past.add(at(AGE));
        assert_eq!(past.all(AGE).len(), 2);
        assert_eq!(past.all(AGE + 1).len(), 1);
        // Nobody has looked for a day.
        past.add(at(100 * AGE));
        assert_eq!(past.0.len(), 1);
        assert_eq!(past.all(200 * AGE).len(), 0);
    }

    #[test]
    fn it_is_bounded_however_fast_it_grows() {
        let mut past = Past::default();
        for now in 0..2000 {
            past.add(at(now));
        }
        assert_eq!(past.all(2000).len(), KEPT);
    }
}
