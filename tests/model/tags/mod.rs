//! Tags under a model checker: a tagged value and the slot of its tag, with every interleaving of readers, of writers who
//! invalidate nothing but the tag, and of evictions. Both slots go by [`cache_runtime::slot::apply`].
//!
//! # What is checked
//!
//! - **Promise 1.** No read that begins after a mutation has completed returns an older version. A mutation has completed when
//!   the tag is invalidated or lowered; a write-through, when its value stands in the slot, or nothing does.
//! - **Promise 2**, of mutations with a fence over the tag, and of write-throughs: from the commit on, if the fence has stood
//!   until then.
//!
//! Either slot may become empty at any moment. A look at a value and its tag are two steps, in any order: in a cluster they are
//! on two servers.
//!
//! # What is left out
//!
//! Several tags of one value, which are compared one by one; tags as the other model has keys: fences that are held, loads
//! that are cancelled.

mod casts;
mod generation;
mod mutants;
mod protocol;
mod readers;
mod reduction;
mod world;
mod writers;

use crate::checking;

use casts::{one_writer, small, two_writers};
use mutants::{MUTANTS, Mutant};
use protocol::{Cast, Protocol};

/// Explores casts to their end.
fn explore(casts: impl IntoIterator<Item = Cast>) {
    checking::explore(casts.into_iter().map(Protocol::faithful));
}

/// Looks for a cast in which the mutant breaks a promise.
fn is_refuted(mutant: Mutant) -> bool {
    let models = small().map(|cast| mutant.with(cast));
    checking::is_refuted(mutant.name, models)
}

#[test]
fn tags_of_one_writer() {
    explore(one_writer());
}

#[test]
fn tags_of_two_writers() {
    explore(two_writers());
}

#[test]
fn every_mutant_of_tags_is_refuted() {
    let survivors: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| !is_refuted(**mutant))
        .map(|mutant| mutant.name)
        .collect();
    assert!(survivors.is_empty(), "survived: {survivors:#?}");
}
