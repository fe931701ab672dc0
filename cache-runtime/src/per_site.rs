//! The part of each annotated function in what a cache did: of the functions that name the cache they use.

use std::sync::OnceLock;

use crate::site::{CallSite, call_sites};
use crate::stats::Counters;

/// Counters for each call site of the program, made when the first of them counts here.
#[derive(Debug, Default)]
pub(crate) struct PerSite(OnceLock<Box<[Counters]>>);

impl PerSite {
    /// Those of one call site.
    #[inline]
    pub(crate) fn of(&self, site: &'static CallSite) -> Option<&Counters> {
        self.0.get_or_init(none).get(site.index())
    }

    /// Those that anything was counted by.
    pub(crate) fn used(&self) -> impl Iterator<Item = (&'static CallSite, &Counters)> {
        let all = self.0.get().into_iter().flatten();
        call_sites().zip(all).filter(|(_, part)| part.are_used())
    }
}

#[cold]
fn none() -> Box<[Counters]> {
    call_sites().map(|_| Counters::new()).collect()
}
