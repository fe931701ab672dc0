//! What is told of each call.

use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::keys::{KeySet, Place};
use crate::knobs::{GROUP, KEYS};

/// One life of a worker: a restarted worker is another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Process(pub(crate) u32);

/// A mutation, in all processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Op {
    pub(crate) process: Process,
    pub(crate) number: u64,
}

/// How a mutation is written; or a refresh, which counts as the invalidation of what was committed before it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// `#[invalidates("…")]`
    Plain,
    /// `#[invalidates("…", on_error = "fail")]`
    OrFail,
    /// `#[invalidates("…", fence)]`
    Fenced,
    /// `#[invalidates("…", fence, on_error = "fail")]`: its body runs only under a fence.
    FencedOrFail,
    /// `#[write_through(key = "…")]`
    Through,
    /// A write, then [`Cache::invalidate`](cache_runtime::Cache::invalidate).
    ByHand,
    /// `#[invalidates("…:*")]`, of all keys that begin alike.
    Pattern,
    /// `#[invalidates("…:*", on_error = "fail")]`
    PatternOrFail,
    /// `#[invalidates("user:<ids>")]`, of two keys.
    Several,
    /// Two mutations within `transaction`, which commit together.
    Transaction,
    /// The same with `fence, on_error = "fail"`: it commits only under fences.
    FencedTransaction,
    /// A cached function within `refresh`.
    Refresh,
}

impl Kind {
    /// Whether a fence may be left behind by a mutation that was cut off or failed.
    pub(crate) fn has_fence(self) -> bool {
        matches!(self, Self::Fenced | Self::Through) || self.needs_fence()
    }

    /// Whether it does not commit without one.
    pub(crate) fn needs_fence(self) -> bool {
        matches!(self, Self::FencedOrFail | Self::FencedTransaction)
    }

    pub(crate) fn is_transaction(self) -> bool {
        matches!(self, Self::Transaction | Self::FencedTransaction)
    }

    /// Whether it is told by a pattern.
    pub(crate) fn is_pattern(self) -> bool {
        matches!(self, Self::Pattern | Self::PatternOrFail)
    }

    /// What it mutates whose call names this key.
    pub(crate) fn keys(self, key: u64) -> KeySet {
        match self {
            Self::Pattern | Self::PatternOrFail => Place::of(key).neighbours(),
            // Two that do not begin alike.
            Self::Several => [key, (key + GROUP + 1) % KEYS].into_iter().collect(),
            // Both take fences, or neither.
            Self::Transaction | Self::FencedTransaction => {
                [key, (key + KEYS / 2) % KEYS].into_iter().collect()
            }
            _ => KeySet::one(key),
        }
    }
}

/// From a worker to the controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// A mutation begins.
    Begun { op: Op, keys: KeySet, at: Moment },
    /// A mutation returned, or was dropped.
    Mutated(Mutated),
    /// A cached function returned, or was dropped.
    Read(Read),
    /// Nothing was undelivered, at some moment between the two.
    Delivered { after: Moment, before: Moment },
    /// The process did not run in between.
    Stalled { from: Moment, to: Moment },
    /// Whatever ended in this process before that is told.
    UpTo(Moment),
    /// The process has stopped calling.
    Quiet {
        /// How many invalidations are left undelivered.
        undelivered: usize,
        /// How many calls it has begun that go through the cache.
        begun: u64,
        /// How many the cache has counted.
        counted: u64,
    },
    /// The process has read every key once more.
    Reviewed,
}

/// The end of a mutation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mutated {
    pub(crate) op: Op,
    pub(crate) keys: KeySet,
    pub(crate) kind: Kind,
    /// When its body had ended, or just before it was dropped: what commits later is not known to this process. Of a refresh,
    /// when it began.
    pub(crate) decided: Moment,
    /// After it returned or was dropped, and after `delivered` was asked.
    pub(crate) end: Moment,
    /// Whether this process had nothing undelivered then.
    pub(crate) delivered: bool,
    pub(crate) ending: Ending,
}

/// How a mutation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    Returned,
    /// The body failed, as the database was asked to.
    Failed,
    /// The typed error that `on_error = "fail"` asks for.
    Refused,
    Dropped,
    /// It may have been the plain call, which invalidates nothing: of a refresh while the cache was off.
    Off,
    /// An error, a panic or a hang that nobody asked for.
    Broken(String),
}

/// What was asked for around a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Asked {
    Nothing,
    /// `refresh(…)`
    Refresh,
    /// `bypass(…)`
    Bypass,
    /// `only_cached(…)`
    OnlyCached,
    /// Nothing, within `transaction(…)`: what it loads is seen by it alone.
    Transaction,
}

/// The end of a read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Read {
    pub(crate) key: u64,
    pub(crate) start: Moment,
    pub(crate) end: Moment,
    pub(crate) found: Found,
    pub(crate) load: Option<Load>,
    /// Whether its call site has a `local_ttl`.
    pub(crate) local: bool,
    pub(crate) asked: Asked,
    /// Whether it was one of several keys of its call.
    pub(crate) several: bool,
    /// Of the last reading of all keys, when nothing is left undelivered.
    pub(crate) review: bool,
}

/// What a read brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Found {
    Version(u64),
    /// A value of another key.
    Foreign {
        key: u64,
        version: u64,
    },
    /// A value that was changed.
    Damaged,
    /// The load failed, as the database was asked to.
    Failed,
    Dropped,
    /// Nothing, as `only_cached` may.
    Unanswered,
    /// An error, a panic or a hang that nobody asked for.
    Broken(String),
}

/// One run of a cached function's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) from: Moment,
    pub(crate) to: Moment,
    /// `None` if it failed or was dropped.
    pub(crate) version: Option<u64>,
}

/// From the controller to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Throws the kill switch.
    Switch { on: bool },
    /// Moves the epoch.
    Advance,
    /// Mutates a key under a fence; the database kills this process after the commit, this many milliseconds from now.
    Die { key: u64, after_ms: u64 },
    /// Stops calling, and tells what is undelivered.
    Rest,
    /// Reads every key.
    Review,
}
