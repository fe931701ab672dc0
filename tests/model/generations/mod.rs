//! The generations of the Redis store under a model checker: every interleaving of reads, mutations, moves of the epoch
//! and a loss of its record, with time, for casts that are small enough to be explored to their end.
//!
//! # What is checked
//!
//! - **Promise 1.** No read that begins after a mutation has completed returns an older version.
//! - No read that begins after a move of the epoch has completed returns what was loaded before it. A mover therefore
//!   commits first, without a word to the cache: what is older than that must be gone.
//!
//! # Time
//!
//! There are ticks, which all clocks share, and ages are counted in them. Nobody is in a hurry: any number of ticks may
//! pass before any action. What is as old as trust lasts is still trusted, for the order within a tick is not known;
//! hence [`SETTLE`](world::SETTLE) must be longer than [`TRUST`](world::TRUST), by one tick. How far two clocks may
//! differ in rate is not asked.
//!
//! # What is left open
//!
//! Whether an answer that names another generation than the process knows is news, or was overtaken by a newer one: both
//! are tried each time. So nothing that is promised rests on the order in which answers arrive, and all the more on
//! this: **a verdict goes by what is known of the generation of its own step.** That of another says nothing:
//!
//! 1. P's reader asks; the answer, generation 1, is slow. The record moves to generation 2.
//! 2. P's writer learns of 2, commits, and invalidates under 2: the record says that 2 is in force, and not settled.
//! 3. The slow answer arrives, and P takes it for news: it knows generation 1 again, which is settled.
//! 4. The answers of P's writer arrive, and are taken for overtaken. Judged by what P knows, there is nothing to wait
//!    for; but Q still trusts generation 1, and hits what the writer has never invalidated there.
//!
//! # What is left out
//!
//! Connections that break, servers that are restored or replaced, and steps that the store does not take; fences, and
//! the loads that readers share, which are the other model's.

mod callers;
mod casts;
mod mutants;
mod protocol;
mod reduction;
mod world;

use crate::checking;

use casts::{large, one_reader, shared, small};
use mutants::{MUTANTS, Mutant, SPARE};
use protocol::{Cast, Protocol};

/// Explores casts to their end.
fn explore(casts: impl IntoIterator<Item = Cast>) {
    checking::explore(casts.into_iter().map(|cast| Protocol::new(cast, None)));
}

/// Looks among casts for one in which the mutant breaks a promise.
fn is_refuted(mutant: &Mutant, casts: impl Iterator<Item = Cast>) -> bool {
    let models = casts.map(|cast| Protocol::new(cast, Some(mutant.habit)));
    checking::is_refuted(mutant.name, models)
}

/// With `MODEL_CASTS=large` in the environment also those of 15 million states, which take minutes even with
/// `--config profile.dev.package.cache-tests.opt-level=3`.
#[test]
fn generations_of_many_readers() {
    explore(small());
    if std::env::var("MODEL_CASTS").is_ok_and(|casts| casts == "large") {
        explore(large());
    }
}

#[test]
fn generations_of_one_reader() {
    explore(one_reader());
}

#[test]
fn every_mutant_of_generations_is_refuted() {
    let survivors: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| !is_refuted(mutant, small().chain(shared())))
        .map(|mutant| mutant.name)
        .collect();
    assert!(survivors.is_empty(), "survived: {survivors:#?}");
}

/// Should one of these be refuted, its rule is needed after all: it then belongs among the mutants.
#[test]
fn spare_rules_of_generations_are_spare() {
    for mutant in SPARE {
        assert!(!is_refuted(mutant, small()), "refuted: {}", mutant.name);
    }
}
