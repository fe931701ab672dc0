//! A promise that was broken, and what shows it.

use crate::clock::Moment;

/// A promise that was broken, and what shows it.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) promise: Promise,
    pub(crate) what: String,
    /// The part of the history that shows it, in the order of time.
    pub(crate) lines: Vec<Line>,
}

/// Which promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// One load per key.
    Doubled,
    /// No stale read after an invalidation.
    Stale,
    /// Where a call site has a `local_ttl`: none by this process, and none later than that.
    Late,
    /// No wrong value.
    Wrong,
    /// The cache never breaks the caller.
    Error,
    /// A crash loses no invalidation.
    Lost,
    /// Each call is counted once.
    Miscounted,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) from: Moment,
    pub(crate) to: Option<Moment>,
    pub(crate) who: String,
    pub(crate) what: String,
}
