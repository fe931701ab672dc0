//! The check of the checker: tags with one rule broken at a time. The model must refute each.

use cache_runtime::slot::{Reply, Slot, Step, apply};

use super::protocol::{Cast, Habit, Protocol, Table};

/// Tags with a rule broken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    table: Table,
    habit: Option<Habit>,
}

impl Mutant {
    const fn of_table(name: &'static str, table: Table) -> Self {
        Self {
            name,
            table,
            habit: None,
        }
    }

    const fn of_process(name: &'static str, habit: Habit) -> Self {
        Self {
            name,
            table: apply,
            habit: Some(habit),
        }
    }

    pub(crate) fn with(self, cast: Cast) -> Protocol {
        Protocol {
            table: self.table,
            habit: self.habit,
            ..Protocol::faithful(cast)
        }
    }
}

/// Each breaks a promise.
pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant::of_process("a generation is taken after the load", Habit::LoadFirst),
    Mutant::of_process(
        "a generation is taken after the write-through's commit",
        Habit::WriteFirst,
    ),
    Mutant::of_process(
        "a missing generation counts as equal",
        Habit::MissingIsEqual,
    ),
    Mutant::of_process("a fenced tag counts as equal", Habit::FencedIsEqual),
    Mutant::of_process(
        "a tag is made anew with the value's old generation",
        Habit::MakeOld,
    ),
    Mutant::of_process(
        "another's load is taken without a look at the tag",
        Habit::JoinUnseen,
    ),
    Mutant::of_table(
        "a tag's invalidation leaves its lease",
        |slot, step| match (step, slot) {
            (Step::Invalidate, slot @ Slot::Lease(_)) => (slot, Reply::Done),
            (step, slot) => apply(slot, step),
        },
    ),
    Mutant::of_table(
        "a tag's invalidation leaves its generation",
        |slot, step| match (step, slot) {
            (Step::Invalidate, slot @ Slot::Value(..)) => (slot, Reply::Done),
            (step, slot) => apply(slot, step),
        },
    ),
    Mutant::of_table("a tag's fence is a plain delete", |slot, step| match step {
        Step::Raise(_) => (Slot::Empty, Reply::Done),
        step => apply(slot, step),
    }),
    Mutant::of_table(
        "a generation is kept without compare",
        |slot, step| match step {
            Step::Fill(lease, ()) => (Slot::Value(lease, ()), Reply::Done),
            step => apply(slot, step),
        },
    ),
    Mutant::of_table("a generation is kept if absent", |slot, step| {
        match (step, slot) {
            (Step::Fill(lease, ()), Slot::Empty) => (Slot::Value(lease, ()), Reply::Done),
            (step, slot) => apply(slot, step),
        }
    }),
];
