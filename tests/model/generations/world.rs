//! The world: the source, the store, and what each process knows of the generation in force.

use super::callers::Stage;
use super::protocol::Loss;

/// What the source holds: the number of changes that have committed.
pub(crate) type Version = u8;

/// Generations are numbered in the order in which they were made.
pub(crate) type Generation = u8;

/// Time in ticks. Of two events within one tick, either may be the earlier one.
pub(crate) type Ticks = u8;

/// How long a reader trusts what it has seen.
pub(crate) const TRUST: Ticks = 1;

/// How long a generation takes to be settled: longer.
pub(crate) const SETTLE: Ticks = TRUST + 1;

/// How far back the model remembers. What is older is all the same: it is trusted no more.
pub(crate) const PAST: Ticks = TRUST + 1;

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) source: Version,
    pub(crate) record: Option<Record>,
    /// The slot of the one key, in each generation that was ever made.
    pub(crate) slots: Vec<Slot>,
    /// What each process knows; `None` if that is nothing yet, or if nobody goes by it any more.
    pub(crate) known: Vec<Option<Known>>,
    /// Where each caller is.
    pub(crate) callers: Vec<Stage>,
    pub(crate) floor: Floor,
    /// What may still be lost.
    pub(crate) loss: Loss,
}

/// What the record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Record {
    pub(crate) generation: Generation,
    pub(crate) settled: bool,
}

/// A slot, without the fence: what a mutation does to it is to empty it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    Empty,
    Value(Version),
    /// Of the reader of this number.
    Lease(usize),
}

/// What a process knows of the generation in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Known {
    pub(crate) generation: Generation,
    /// How long ago the last question was sent to which the record answered with it.
    pub(crate) confirmed: Ticks,
    /// How long until everyone has seen it; `None` if everyone has.
    pub(crate) settles: Option<Ticks>,
}

/// A question to the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    /// How long ago it was sent.
    pub(crate) sent: Ticks,
    pub(crate) answer: Answer,
}

/// What the record said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    /// Nothing yet.
    Outstanding,
    /// That there is none.
    Gone,
    Says(Record),
}

/// What no read that starts now may fall below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Floor {
    /// The newest mutation that has completed.
    pub(crate) invalidated: Version,
    /// The newest change of the source that was there when an `advance` was called that has returned.
    pub(crate) moved: Version,
}

/// Which promise a read has broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// A completed mutation is seen.
    Invalidated,
    /// What was loaded before a completed move of the epoch is not.
    Moved,
}

impl Floor {
    /// Judges a read that began when this was the floor.
    pub(crate) fn judge(self, version: Version) -> Result<(), Broken> {
        if version < self.invalidated {
            Err(Broken::Invalidated)
        } else if version < self.moved {
            Err(Broken::Moved)
        } else {
            Ok(())
        }
    }
}

impl Question {
    pub(crate) fn new() -> Self {
        Self {
            sent: 0,
            answer: Answer::Outstanding,
        }
    }
}

impl Known {
    /// Of the generation that is in force at the start.
    pub(crate) fn first() -> Self {
        Self {
            generation: 1,
            confirmed: 0,
            settles: None,
        }
    }

    pub(crate) fn is_trusted(self) -> bool {
        self.confirmed <= TRUST
    }
}

impl World {
    pub(crate) fn slot(&mut self, generation: Generation) -> &mut Slot {
        &mut self.slots[usize::from(generation)]
    }

    /// The answer of the record, if it is asked now.
    pub(crate) fn answer(&self) -> Answer {
        self.record.map_or(Answer::Gone, Answer::Says)
    }

    /// A tick of the clock that all go by: no machine's runs faster than another's.
    pub(crate) fn tick(&mut self) {
        let older = |age: &mut Ticks| *age = (*age + 1).min(PAST);
        let nearer = |left: &mut Ticks| *left = left.saturating_sub(1);
        for known in self.known.iter_mut().flatten() {
            older(&mut known.confirmed);
            known.settles.iter_mut().for_each(nearer);
        }
        for caller in &mut self.callers {
            match caller {
                Stage::Under(_, errand) => errand
                    .question
                    .iter_mut()
                    .for_each(|question| older(&mut question.sent)),
                Stage::Opening(_, question) => older(&mut question.sent),
                Stage::Settling { left, .. } => nearer(left),
                _ => {}
            }
        }
    }
}
