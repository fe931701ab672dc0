//! What happened, in figures.

use std::fmt;

/// What happened, in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) calls: u64,
    /// Reads that were answered without a load of their own.
    pub(crate) hits: u64,
    /// Of these, by a call site with a `local_ttl`.
    pub(crate) local: u64,
    /// Reads of a key along with others, in one call.
    pub(crate) several: u64,
    /// Calls within `only_cached` that were answered.
    pub(crate) answered: u64,
    pub(crate) unanswered: u64,
    /// Calls within `bypass`.
    pub(crate) bypassed: u64,
    /// Calls within `refresh` that count as an invalidation.
    pub(crate) refreshed: u64,
    pub(crate) loads: u64,
    /// Mutations, however they ended.
    pub(crate) invalidations: u64,
    /// Of these, by a pattern.
    pub(crate) patterns: u64,
    /// And two within a transaction.
    pub(crate) transactions: u64,
    pub(crate) faults: u64,
    /// Calls that were dropped by their callers.
    pub(crate) dropped: u64,
    /// Commits of processes that were killed before they could invalidate, under a fence.
    pub(crate) killed: u64,
    /// Calls that got the error that `on_error = "fail"` asks for.
    pub(crate) refused: u64,
    /// Loads in calm stretches: those that promise 3 was checked on.
    pub(crate) calm: u64,
    /// Calls that a process and its cache have counted, and come to the same.
    pub(crate) counted: u64,
    pub(crate) doubled: u64,
    pub(crate) stale: u64,
    pub(crate) late: u64,
    pub(crate) wrong: u64,
    pub(crate) errors: u64,
    pub(crate) lost: u64,
    /// Processes that come to other numbers of calls than their caches.
    pub(crate) miscounted: u64,
}

impl Figures {
    pub(crate) fn are_clean(&self) -> bool {
        let Self {
            doubled,
            stale,
            late,
            wrong,
            errors,
            lost,
            miscounted,
            ..
        } = self;
        doubled + stale + late + wrong + errors + lost + miscounted == 0
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            hits,
            local,
            answered,
            unanswered,
            bypassed,
            refreshed,
            loads,
            invalidations,
            patterns,
            transactions,
            several,
            faults,
            dropped,
            killed,
            refused,
            calm,
            counted,
            doubled,
            stale,
            late,
            wrong,
            errors,
            lost,
            miscounted,
        } = self;
        write!(
            f,
            "calls={calls} hits={hits} local_hits={local} answered={answered} unanswered={unanswered} bypassed={bypassed} \
             refreshed={refreshed} several={several} loads={loads} invalidations={invalidations} patterns={patterns} transactions={transactions} \
             faults={faults} dropped={dropped} killed={killed} refused={refused} calm_loads={calm} counted={counted} doubled={doubled} stale={stale} late={late} \
             wrong={wrong} errors={errors} lost={lost} miscounted={miscounted}"
        )
    }
}
