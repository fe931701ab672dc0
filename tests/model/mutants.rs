//! The check of the checker: the protocol with one rule broken at a time. The model must refute each.
//!
//! Where the table keeps a promise by two rules at once, breaking either alone changes nothing that can be seen. Those
//! are told apart as [`SPARE`], and the model must refute their breaking together.

use cache_runtime::slot::{Fence, Reply, Slot, Step, Token, apply};

use crate::protocol::{Cast, Habit, Protocol, Table};
use crate::world::Version;

/// The protocol with a rule broken.
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

/// Each claims more than is promised: the excuses in the model are none that it could do without.
pub(crate) const CLAIMS: &[Mutant] = &[
    Mutant::of_process(
        "a plain mutation is seen even if it crashes before it invalidates",
        Habit::ClaimPlain,
    ),
    Mutant::of_process(
        "a fenced mutation is seen even if its fence was lost",
        Habit::ClaimLost,
    ),
    Mutant::of_process(
        "a fenced mutation is seen even if its fence has forgotten it",
        Habit::ClaimForgotten,
    ),
];

type Outcome = (Slot<Version>, Reply<Version>);

/// Each breaks a promise.
pub(crate) const MUTANTS: &[Mutant] = &[
    // Acquire.
    Mutant::of_table("acquire replaces any value", |slot, step| {
        match (step, slot) {
            (Step::Acquire { lease, .. }, Slot::Value(..)) => granted(lease),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("acquire replaces a lease", |slot, step| {
        match (step, slot) {
            (Step::Acquire { lease, .. }, Slot::Lease(_)) => granted(lease),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("acquire replaces a fence", |slot, step| {
        match (step, slot) {
            (Step::Acquire { lease, .. }, Slot::Fence(_)) => granted(lease),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_process("a load begins before it has the lease", Habit::LoadFirst),
    Mutant::of_process("all loads go by one lease", Habit::OneLease),
    Mutant::of_process("a load is joined by its key", Habit::JoinByKey),
    // Renew and release.
    Mutant::of_table("renew brings a lost lease back", |slot, step| {
        match (step, slot) {
            (Step::Renew(lease), Slot::Empty) => (Slot::Lease(lease), Reply::Done),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("release without compare", |slot, step| match step {
        Step::Release(_) => (Slot::Empty, Reply::Done),
        step => apply(slot, step),
    }),
    // Fill.
    Mutant::of_table("fill without compare", |slot, step| match step {
        Step::Fill(lease, value) => stored(lease, value),
        step => apply(slot, step),
    }),
    Mutant::of_table("fill if absent", |slot, step| match (step, slot) {
        (Step::Fill(lease, value), Slot::Empty) => stored(lease, value),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("fill under another's lease", |slot, step| {
        match (step, slot) {
            (Step::Fill(lease, value), Slot::Lease(_)) => stored(lease, value),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("fill over another's value", |slot, step| {
        match (step, slot) {
            (Step::Fill(lease, value), Slot::Value(..)) => stored(lease, value),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("fill over a fence", |slot, step| match (step, slot) {
        (Step::Fill(lease, value), Slot::Fence(_)) => stored(lease, value),
        (step, slot) => apply(slot, step),
    }),
    // Refresh.
    Mutant::of_table("refresh without compare", |slot, step| match step {
        Step::Refresh { next, value, .. } => stored(next, value),
        step => apply(slot, step),
    }),
    Mutant::of_table("refresh if absent", |slot, step| match (step, slot) {
        (Step::Refresh { next, value, .. }, Slot::Empty) => stored(next, value),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("refresh over any value", |slot, step| match (step, slot) {
        (Step::Refresh { next, value, .. }, Slot::Value(..)) => stored(next, value),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("refresh over a fence", |slot, step| match (step, slot) {
        (Step::Refresh { next, value, .. }, Slot::Fence(_)) => stored(next, value),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_process(
        "refresh names the token that stands after its load",
        Habit::LateToken,
    ),
    Mutant::of_process(
        "a refresh that was asked for and is refused leaves it at that",
        Habit::RefusedStays,
    ),
    Mutant::of_process(
        "a refresh that was asked for and finds a fence leaves it at that",
        Habit::FencedStays,
    ),
    Mutant::of_process(
        "a refresh that was asked for waits for the load that it finds",
        Habit::WaitForOlder,
    ),
    // Invalidate.
    Mutant::of_table("invalidate is a plain delete", |slot, step| match step {
        Step::Invalidate => (Slot::Empty, Reply::Done),
        step => apply(slot, step),
    }),
    Mutant::of_table("invalidate does not taint", |slot, step| {
        match (step, slot) {
            (Step::Invalidate, slot @ Slot::Fence(_)) => (slot, Reply::Done),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("invalidate leaves a lease", |slot, step| {
        match (step, slot) {
            (Step::Invalidate, slot @ Slot::Lease(_)) => (slot, Reply::Done),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("invalidate leaves a value", |slot, step| {
        match (step, slot) {
            (Step::Invalidate, slot @ Slot::Value(..)) => (slot, Reply::Done),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_process(
        "a mutation invalidates before it commits",
        Habit::InvalidateFirst,
    ),
    // Raise.
    Mutant::of_table("raise leaves a lease", |slot, step| match (step, slot) {
        (Step::Raise(_), slot @ Slot::Lease(_)) => (slot, Reply::Done),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("raise leaves a value", |slot, step| match (step, slot) {
        (Step::Raise(_), slot @ Slot::Value(..)) => (slot, Reply::Done),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("raise joins a fence without a mark", |slot, step| {
        match (step, slot) {
            (Step::Raise(_), Slot::Fence(fence)) => {
                let tokens = fence.tokens().to_vec();
                (Slot::Fence(Fence::from_parts(tokens, true)), Reply::Done)
            }
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("raise replaces a fence, tainted", |slot, step| {
        match (step, slot) {
            (Step::Raise(token), Slot::Fence(_)) => fenced(token, true),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("raise replaces a fence, untainted", |slot, step| {
        match (step, slot) {
            (Step::Raise(token), Slot::Fence(_)) => fenced(token, false),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_process("a mutation raises after it committed", Habit::RaiseLate),
    // Hold.
    Mutant::of_table("hold raises a lost fence untainted", |slot, step| {
        match (step, slot) {
            (Step::Hold(token), slot) if !matches!(slot, Slot::Fence(_)) => fenced(token, false),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("hold does not raise a lost fence", |slot, step| {
        match (step, slot) {
            (Step::Hold(_), slot) if !matches!(slot, Slot::Fence(_)) => (slot, Reply::Refused),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table(
        "hold is not noted in another's fence",
        |slot, step| match (step, slot) {
            (Step::Hold(_), slot @ Slot::Fence(_)) => (slot, Reply::Done),
            (step, slot) => apply(slot, step),
        },
    ),
    // At the bound only: a fence may have forgotten one mutation and stand for another.
    Mutant::of_table("hold joins a fence untainted", |slot, step| {
        match (step, slot) {
            (Step::Hold(token), slot @ Slot::Fence(_)) => {
                let is_lost =
                    matches!(&slot, Slot::Fence(fence) if !fence.tokens().contains(&token));
                if is_lost {
                    raised_untainted(slot, token)
                } else {
                    (slot, Reply::Done)
                }
            }
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("hold forgets a taint", |slot, step| match (step, slot) {
        (Step::Hold(token), Slot::Fence(fence)) if fence.tokens().contains(&token) => {
            let tokens = fence.tokens().to_vec();
            (Slot::Fence(Fence::from_parts(tokens, false)), Reply::Done)
        }
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_process("a fence is not renewed", Habit::NeverHold),
    // Lower.
    Mutant::of_table("lower removes the whole fence", |slot, step| {
        match (step, slot) {
            (Step::Lower(_), Slot::Fence(_)) => (Slot::Empty, Reply::Done),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("lower leaves a lease", |slot, step| match (step, slot) {
        (Step::Lower(_), slot @ Slot::Lease(_)) => (slot, Reply::Done),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("lower leaves a value", |slot, step| match (step, slot) {
        (Step::Lower(_), slot @ Slot::Value(..)) => (slot, Reply::Done),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("lower does not taint what is left", |slot, step| {
        match (step, slot) {
            (Step::Lower(token), Slot::Fence(fence)) => untainted_without(&fence, token),
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_process(
        "a mutation lowers while its commit is in doubt",
        Habit::LowerInDoubt,
    ),
    // Put.
    Mutant::of_table("put despite taint", |slot, step| match (step, slot) {
        (Step::Put(token, value), Slot::Fence(fence)) if fence.tokens() == [token] => {
            stored(token, value)
        }
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("put despite everything", |slot, step| match step {
        Step::Put(token, value) => stored(token, value),
        step => apply(slot, step),
    }),
    Mutant::of_table("put if absent", |slot, step| match (step, slot) {
        (Step::Put(token, value), Slot::Empty) => stored(token, value),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("put over another's fence", |slot, step| {
        match (step, slot) {
            (Step::Put(token, value), Slot::Fence(fence)) if !fence.tokens().contains(&token) => {
                stored(token, value)
            }
            (step, slot) => apply(slot, step),
        }
    }),
    Mutant::of_table("put leaves a lease", |slot, step| match (step, slot) {
        (Step::Put(..), slot @ Slot::Lease(_)) => (slot, Reply::Refused),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table("put leaves a value", |slot, step| match (step, slot) {
        (Step::Put(..), slot @ Slot::Value(..)) => (slot, Reply::Refused),
        (step, slot) => apply(slot, step),
    }),
    Mutant::of_table(
        "a refused put removes the whole fence",
        |slot, step| match (step, slot) {
            (Step::Put(token, value), slot @ Slot::Fence(_)) => {
                match apply(slot, Step::Put(token, value)) {
                    (_, Reply::Refused) => (Slot::Empty, Reply::Refused),
                    stored => stored,
                }
            }
            (step, slot) => apply(slot, step),
        },
    ),
    Mutant::of_table(
        "a refused put does not taint what is left",
        |slot, step| match (step, slot) {
            (Step::Put(token, value), Slot::Fence(fence)) => {
                if fence.tokens() == [token] {
                    apply(Slot::Fence(fence), Step::Put(token, value))
                } else {
                    let (slot, _) = untainted_without(&fence, token);
                    (slot, Reply::Refused)
                }
            }
            (step, slot) => apply(slot, step),
        },
    ),
    // The spare rules, broken together.
    Mutant::of_table(
        "no taint at raise, and put among others",
        |slot, step| match (step, slot) {
            (Step::Raise(token), slot) => raised_untainted(slot, token),
            (Step::Put(token, value), slot) => put_among_others(slot, token, value),
            (step, slot) => apply(slot, step),
        },
    ),
    Mutant::of_table(
        "no taint at raise, none at lower and put",
        |slot, step| match (step, slot) {
            (Step::Raise(token), slot) => raised_untainted(slot, token),
            (Step::Lower(token), Slot::Fence(fence)) => untainted_without(&fence, token),
            (Step::Put(token, _), Slot::Fence(fence)) if fence.tokens() != [token] => {
                let (slot, _) = untainted_without(&fence, token);
                (slot, Reply::Refused)
            }
            (step, slot) => apply(slot, step),
        },
    ),
];

/// Each breaks a rule that another rule covers for.
pub(crate) const SPARE: &[Mutant] = &[
    // What is stored in an empty slot was loaded after the look at it. The rule is for an epoch that moves meanwhile.
    Mutant::of_process(
        "a refresh that was asked for and finds nothing does not invalidate",
        Habit::NothingStays,
    ),
    // Whoever leaves taints what is left, and whoever stays lets no other put.
    Mutant::of_table("raise does not taint", |slot, step| match (step, slot) {
        (Step::Raise(token), slot) => raised_untainted(slot, token),
        (step, slot) => apply(slot, step),
    }),
    // A fence of two is tainted.
    Mutant::of_table("put among others, if untainted", |slot, step| {
        match (step, slot) {
            (Step::Put(token, value), slot) => put_among_others(slot, token, value),
            (step, slot) => apply(slot, step),
        }
    }),
];

fn granted(lease: Token) -> Outcome {
    (Slot::Lease(lease), Reply::Granted)
}

fn stored(token: Token, value: Version) -> Outcome {
    (Slot::Value(token, value), Reply::Done)
}

fn fenced(token: Token, tainted: bool) -> Outcome {
    (Slot::Fence(Fence::new(token, tainted)), Reply::Done)
}

fn raised_untainted(slot: Slot<Version>, token: Token) -> Outcome {
    let Slot::Fence(fence) = slot else {
        return apply(slot, Step::Raise(token));
    };
    let tokens = fence.tokens().iter().copied().chain([token]).collect();
    let fence = Fence::from_parts(tokens, fence.is_tainted());
    (Slot::Fence(fence), Reply::Done)
}

fn untainted_without(fence: &Fence, token: Token) -> Outcome {
    let rest: Vec<_> = fence
        .tokens()
        .iter()
        .copied()
        .filter(|other| *other != token)
        .collect();
    if rest.is_empty() {
        return (Slot::Empty, Reply::Done);
    }
    let fence = Fence::from_parts(rest, fence.is_tainted());
    (Slot::Fence(fence), Reply::Done)
}

fn put_among_others(slot: Slot<Version>, token: Token, value: Version) -> Outcome {
    match slot {
        Slot::Fence(fence) if fence.tokens().contains(&token) && !fence.is_tainted() => {
            stored(token, value)
        }
        slot => apply(slot, Step::Put(token, value)),
    }
}
