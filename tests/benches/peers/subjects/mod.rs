//! Who is measured: this crate, and what a user would take instead.

#[cfg(feature = "peers")]
mod accelerator;
#[cfg(feature = "peers")]
mod cached;
#[cfg(feature = "peers")]
mod cachekit;
#[cfg(feature = "peers")]
mod hitbox;
#[cfg(feature = "peers")]
mod moka;
mod ours;
mod plain;
mod quick_cache;
mod redis;

use std::time::Duration;

use anyhow::Result;
use tokio::runtime::Handle;

use crate::measure::Measure;
use crate::workload::Workload;

/// One of those that are measured.
pub(crate) struct Subject {
    /// On the command line.
    pub(crate) name: &'static str,
    /// In the tables.
    pub(crate) label: &'static str,
    /// What it can do.
    pub(crate) workloads: &'static [(Measure, Prepare)],
}

/// Prepares a workload in the process that will do nothing else.
pub(crate) type Prepare = fn(&Place) -> Result<Box<dyn Workload>>;

/// Where a workload runs.
pub(crate) struct Place {
    pub(crate) runtime: Handle,
    pub(crate) redis: String,
}

impl Subject {
    /// How it does what is measured, if it can.
    pub(crate) fn prepares(&self, measure: Measure) -> Option<Prepare> {
        let (_, prepare) = self.workloads.iter().find(|(of, _)| *of == measure)?;
        Some(*prepare)
    }
}

/// How long a value lives, for each of them.
const HOUR: Duration = Duration::from_secs(3600);

/// What is always at hand, as this workspace depends on it anyway.
const OWN: &[&[Subject]] = &[
    plain::SUBJECTS,
    quick_cache::SUBJECTS,
    redis::SUBJECTS,
    ours::SUBJECTS,
];

/// What only this benchmark needs.
#[cfg(feature = "peers")]
const PEERS: &[&[Subject]] = &[
    moka::SUBJECTS,
    cached::SUBJECTS,
    hitbox::SUBJECTS,
    cachekit::SUBJECTS,
    accelerator::SUBJECTS,
];
#[cfg(not(feature = "peers"))]
const PEERS: &[&[Subject]] = &[];

/// All of them, in the order of the tables.
pub(crate) fn all() -> impl Iterator<Item = &'static Subject> {
    OWN.iter().chain(PEERS).copied().flatten()
}

/// The one of this name.
pub(crate) fn named(name: &str) -> Option<&'static Subject> {
    all().find(|subject| subject.name == name)
}

/// Those that can do what is measured, the base first.
pub(crate) fn of(measure: Measure) -> Vec<&'static Subject> {
    let mut subjects: Vec<_> = all()
        .filter(|subject| subject.prepares(measure).is_some())
        .collect();
    subjects.sort_by_key(|subject| subject.name != measure.base());
    subjects
}

/// The size of the future of a call, of some functions.
pub(crate) fn sizes() -> Vec<(&'static str, usize)> {
    let sizes = ours::sizes();
    #[cfg(feature = "peers")]
    let sizes = [sizes, cached::sizes().into()].concat();
    sizes
}
