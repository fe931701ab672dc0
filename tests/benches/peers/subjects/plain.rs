//! Without a cache: the plain function, and a key written by hand.

use std::hint::black_box;

use super::Subject;
use crate::measure::Measure;
use crate::workload::{Tight, tight_async};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "plain",
        label: "the plain function",
        workloads: &[(Measure::Off, |place| {
            Ok(tight_async!(place, |id| plain(id).await))
        })],
    },
    Subject {
        name: "format",
        label: "`format!(\"user:{id}\")`",
        workloads: &[(Measure::KeyBuild, |_| {
            Ok(Tight::boxed(|ids| {
                for &id in ids {
                    black_box(format!("user:{}", black_box(id)));
                }
            }))
        })],
    },
];

/// A body that costs next to nothing, so that what is added shows.
pub(super) fn body(id: u64) -> u64 {
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[allow(clippy::unused_async, reason = "as what is annotated")]
async fn plain(id: u64) -> u64 {
    body(id)
}
