//! The casts: who meets whom, in which processes. Each is explored to its end.

use super::callers::Role::{self, Mover, Reader, Writer};
use super::protocol::Loss::{Any, Nothing, Record};
use super::protocol::Start::{Agreed, Moving, Outdated, Strangers};
use super::protocol::{Cast, Loss, Start};

fn cast(start: Start, loss: Loss, processes: &[&[Role]]) -> Cast {
    Cast {
        start,
        loss,
        processes: processes.iter().map(|roles| roles.to_vec()).collect(),
    }
}

/// Small casts, in which the counterexamples to mutants are looked for, in this order.
pub(crate) fn small() -> impl Iterator<Item = Cast> {
    [
        cast(Agreed, Nothing, &[&[Reader], &[Mover]]),
        cast(Agreed, Any, &[&[Reader], &[Mover]]),
        cast(Agreed, Any, &[&[Reader], &[Writer]]),
        cast(Outdated, Any, &[&[Reader], &[Writer]]),
        cast(Strangers, Any, &[&[Reader], &[Writer]]),
        cast(Moving, Record, &[&[Reader], &[Writer], &[Mover]]),
        cast(Agreed, Nothing, &[&[Reader, Reader], &[Mover]]),
        cast(Agreed, Record, &[&[Reader], &[Reader], &[Writer]]),
    ]
    .into_iter()
}

/// A writer and a reader in one process, who learn from each other: small enough only to be refuted.
pub(crate) fn shared() -> impl Iterator<Item = Cast> {
    std::iter::once(cast(Strangers, Record, &[&[Reader], &[Reader, Writer]]))
}

/// One reader, under whom more happens.
pub(crate) fn one_reader() -> impl Iterator<Item = Cast> {
    [
        cast(Agreed, Nothing, &[&[Reader], &[Writer], &[Mover]]),
        cast(Outdated, Nothing, &[&[Reader], &[Writer], &[Mover]]),
        cast(Strangers, Nothing, &[&[Reader], &[Writer], &[Mover]]),
        cast(Strangers, Nothing, &[&[Reader, Writer], &[Mover]]),
        cast(Agreed, Record, &[&[Reader], &[Writer], &[Writer]]),
        cast(Agreed, Record, &[&[Reader], &[Writer, Writer]]),
    ]
    .into_iter()
}

/// What takes minutes, with what [`shared`] has among it.
pub(crate) fn large() -> impl Iterator<Item = Cast> {
    [
        cast(Agreed, Record, &[&[Reader, Writer], &[Writer]]),
        cast(Agreed, Any, &[&[Reader], &[Reader], &[Writer]]),
        cast(Agreed, Any, &[&[Reader, Reader], &[Writer]]),
        cast(Agreed, Any, &[&[Reader], &[Reader, Writer]]),
        cast(Strangers, Any, &[&[Reader], &[Reader, Writer]]),
        cast(Agreed, Nothing, &[&[Reader], &[Writer, Writer], &[Mover]]),
        cast(
            Agreed,
            Nothing,
            &[&[Reader], &[Reader], &[Writer], &[Mover]],
        ),
        cast(
            Agreed,
            Record,
            &[&[Reader], &[Reader], &[Writer], &[Writer]],
        ),
    ]
    .into_iter()
}
