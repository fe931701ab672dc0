//! The casts: who meets whom. Each is explored to its end.

use crate::protocol::Cast;
use crate::readers::Caller::{self, Asker, Here, Refresher, There};
use crate::writers::Mutation::{self, Fenced, Plain, Put, WriteThrough};
use crate::writers::Newest;

const KINDS: [Mutation; 3] = [Plain, Fenced, WriteThrough];

fn cast(writers: &[Mutation], readers: &[Caller]) -> Cast {
    Cast {
        writers: writers.to_vec(),
        readers: readers.to_vec(),
        ..Cast::default()
    }
}

/// Every two writers of the three kinds.
fn pairs() -> impl Iterator<Item = Vec<Mutation>> {
    (0..3).flat_map(|a| (a..3).map(move |b| vec![KINDS[a], KINDS[b]]))
}

/// Every three writers.
fn triples() -> impl Iterator<Item = Vec<Mutation>> {
    (0..3).flat_map(|a| {
        (a..3).flat_map(move |b| (b..3).map(move |c| vec![KINDS[a], KINDS[b], KINDS[c]]))
    })
}

/// Two writers and three readers, of whom two are in one process.
pub(crate) fn three_readers() -> impl Iterator<Item = Cast> {
    pairs().map(|writers| cast(&writers, &[Here, Here, There]))
}

/// Two writers, two readers and a refresher.
pub(crate) fn two_readers_and_a_refresher() -> impl Iterator<Item = Cast> {
    pairs().map(|writers| cast(&writers, &[Here, Here, Refresher]))
}

/// One writer, three readers and a refresher.
pub(crate) fn all_readers() -> impl Iterator<Item = Cast> {
    KINDS
        .into_iter()
        .map(|writer| cast(&[writer], &[Here, Here, There, Refresher]))
}

/// Calls within `refresh`, among readers and each other.
pub(crate) fn askers() -> impl Iterator<Item = Cast> {
    let singles = KINDS.into_iter().flat_map(|writer| {
        [
            cast(&[writer], &[Here, There, Asker]),
            cast(&[writer], &[Here, Asker, Asker]),
            cast(&[writer], &[Here, Refresher, Asker]),
        ]
    });
    singles.chain(pairs().map(|writers| cast(&writers, &[Here, Asker])))
}

/// Three writers and a reader.
pub(crate) fn three_writers() -> impl Iterator<Item = Cast> {
    triples().map(|writers| cast(&writers, &[Here]))
}

/// Fences that hold one mutation fewer than there are.
pub(crate) fn crowded_fences() -> impl Iterator<Item = Cast> {
    let two = pairs().map(|writers| Cast {
        bound: Some(1),
        ..cast(&writers, &[Here, There])
    });
    let three = triples().map(|writers| Cast {
        bound: Some(2),
        ..cast(&writers, &[Here])
    });
    let fenced = |cast: &Cast| {
        let marks = cast.writers.iter().filter(|writer| **writer != Plain);
        cast.bound.is_some_and(|bound| marks.count() > bound)
    };
    two.chain(three).filter(fenced)
}

/// Loads that are cancelled, taken over, given back.
pub(crate) fn cancelled_loads() -> impl Iterator<Item = Cast> {
    KINDS.into_iter().map(|writer| Cast {
        cancels: true,
        ..cast(&[writer], &[Here, Here, There])
    })
}

/// A value that no reader can use.
pub(crate) fn foreign_values() -> impl Iterator<Item = Cast> {
    pairs().map(|writers| Cast {
        foreign: true,
        ..cast(&writers, &[Here, There])
    })
}

/// Readers among themselves: one of them loads.
pub(crate) fn calm_readers() -> impl Iterator<Item = Cast> {
    [false, true].into_iter().map(|foreign| Cast {
        calm: true,
        foreign,
        ..cast(&[], &[Here, Here, There])
    })
}

/// `Cache::put`, whose caller keeps his word, with each kind of writer.
pub(crate) fn puts(newest: Newest) -> impl Iterator<Item = Cast> {
    [Put(newest), Plain, Fenced, WriteThrough]
        .into_iter()
        .map(move |other| cast(&[Put(newest), other], &[Here, There]))
}

/// Small casts, in which the counterexamples to mutants are looked for, in this order.
pub(crate) fn small() -> impl Iterator<Item = Cast> {
    let singles = KINDS.into_iter().flat_map(|writer| {
        let single = cast(&[writer], &[Here, Here]);
        let cancelled = Cast {
            cancels: true,
            ..single.clone()
        };
        [single, cancelled, cast(&[writer], &[Here, Refresher])]
    });
    calm_readers()
        .chain(singles)
        .chain(cancelled_loads())
        .chain(pairs().map(|writers| cast(&writers, &[Here])))
        .chain(pairs().map(|writers| cast(&writers, &[Here, Here])))
        .chain(pairs().map(|writers| cast(&writers, &[Here, Refresher])))
        .chain(askers())
        .chain(crowded_fences())
        .chain(three_writers())
}
