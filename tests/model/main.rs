//! The slot table under a model checker: every interleaving of writers, readers, expiry and crashes, for casts that are
//! small enough to be explored to their end. The table is [`cache_runtime::slot::apply`] itself.
//!
//! # What is checked
//!
//! Every commit makes a newer version of what is read. A read begins with its first look at the slot, and:
//!
//! - **Promise 1.** No read that begins after a mutation has completed returns an older version. A mutation has completed
//!   when its invalidate, lower or put has been carried out.
//! - **Promise 2.** No read that begins after a fenced mutation (a write-through is one) has *committed* returns an older
//!   version, whatever becomes of it then: it may crash at once, and its fence expire. This holds from the commit on if
//!   its fence has stood since it was last raised or held; if it was lost before the commit, then from the next hold on.
//!   A fence is lost by an eviction, a failover, a pause that is longer than its life, or at the bound of marks. To plain
//!   mutations this is not promised: a crash between the commit and the invalidation loses the latter.
//! - A call within `refresh` that has returned is a mutation of what was committed before it began, and returns no less.
//! - **Promise 3**, among readers only, while nothing expires: one load.
//!
//! A slot may become empty at any moment. A fence whose mutation lives is held, so that its end is a loss; once its
//! mutation has crashed, it is the normal course of things.
//!
//! # What is left out
//!
//! Steps that the store does not take, or carries out after their caller has given up on them, and the recovery that
//! delivers invalidations later; the local tier, and patterns, each of whose slots is invalidated by the step of this table.
//! Two things have models of their own: [`tags`], and the generations in front of every key, [`generations`].

mod casts;
mod checking;
mod generations;
mod mutants;
mod protocol;
mod readers;
mod tags;
mod world;
mod writers;

use casts::{
    all_readers, askers, calm_readers, cancelled_loads, crowded_fences, foreign_values, puts,
    small, three_readers, three_writers, two_readers_and_a_refresher,
};
use checking::{Refutation, check};
use mutants::{CLAIMS, MUTANTS, Mutant, SPARE};
use protocol::{Cast, Protocol};
use writers::Newest;

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
fn two_writers_and_three_readers() {
    explore(three_readers());
}

#[test]
fn two_writers_and_two_readers_and_a_refresher() {
    explore(two_readers_and_a_refresher());
}

#[test]
fn refreshes_that_are_asked_for() {
    explore(askers());
}

#[test]
fn one_writer_and_all_readers() {
    explore(all_readers());
    explore(cancelled_loads());
}

#[test]
fn three_writers_and_a_reader() {
    explore(three_writers());
}

#[test]
fn fences_at_their_bound() {
    explore(crowded_fences());
}

#[test]
fn values_that_cannot_be_read() {
    explore(foreign_values());
}

#[test]
fn one_load() {
    explore(calm_readers());
}

/// `Cache::put` after the write: kept if nobody else commits between that write and the raise of its fence.
#[test]
fn a_put_of_what_stays_the_newest_until_its_fence_is_up() {
    explore(puts(Newest::WhenRaised));
}

/// It does not suffice that the value is the newest when `Cache::put` is called:
///
/// 1. A commits 1, and calls `put`.
/// 2. B commits 2, and its invalidation completes.
/// 3. A's fence is raised: there is nothing left to be tainted by. Its put stores 1.
#[test]
fn a_put_of_what_is_the_newest_only_when_it_is_called() {
    for cast in puts(Newest::WhenCalled) {
        let protocol = Protocol::faithful(cast);
        let cast = &protocol.cast;
        match check(&protocol) {
            Ok(_) => panic!("{cast} keeps every promise"),
            Err(Refutation { promise, told, .. }) => println!("{cast} breaks {promise}:\n{told}"),
        }
    }
}

#[test]
fn every_mutant_is_refuted() {
    let survivors: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| !is_refuted(**mutant))
        .map(|mutant| mutant.name)
        .collect();
    assert!(survivors.is_empty(), "survived: {survivors:#?}");
}

#[test]
fn no_more_is_promised() {
    for claim in CLAIMS {
        assert!(is_refuted(*claim), "kept: {}", claim.name);
    }
}

/// Should one of these be refuted, its rule is needed after all: it then belongs among the mutants.
#[test]
fn spare_rules_are_spare() {
    for mutant in SPARE {
        assert!(!is_refuted(*mutant), "refuted: {}", mutant.name);
    }
}
