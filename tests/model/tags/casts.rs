//! The casts: who meets whom. Each is explored to its end.

use super::protocol::Cast;
use super::readers::Caller::{self, Here, There};
use super::writers::Mutation::{self, Fenced, Plain, WriteThrough};

const KINDS: [Mutation; 3] = [Plain, Fenced, WriteThrough];

fn cast(writers: &[Mutation], readers: &[Caller]) -> Cast {
    Cast {
        writers: writers.to_vec(),
        readers: readers.to_vec(),
    }
}

/// One writer who tells the tag, and three readers, of whom two are in one process.
pub(crate) fn one_writer() -> impl Iterator<Item = Cast> {
    [Plain, Fenced]
        .into_iter()
        .map(|writer| cast(&[writer], &[Here, Here, There]))
}

/// Every two writers of whom one tells the tag, and two readers.
pub(crate) fn two_writers() -> impl Iterator<Item = Cast> {
    (0..2)
        .flat_map(|a| (a..3).map(move |b| [KINDS[a], KINDS[b]]))
        .map(|writers| cast(&writers, &[Here, Here]))
}

/// Small casts, in which the counterexamples to mutants are looked for, in this order.
pub(crate) fn small() -> impl Iterator<Item = Cast> {
    KINDS
        .into_iter()
        .map(|writer| cast(&[writer], &[Here, Here]))
        .chain(two_writers())
        .chain(one_writer())
}
