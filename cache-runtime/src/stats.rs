//! Counters: what happened, per call site and per cache.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Serialize;

use crate::error::ErrorKind;
use crate::latency::Timings;
use crate::place::{OWN, PLACES, place_of_this_thread};
use crate::snapshot::Measured;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// A reading of the counters of one call site or one [`Cache`](crate::Cache), all since the process started.
        ///
        /// Each call that goes through the cache adds to exactly one of `hits`, `local_hits`, `stale_hits`, `misses`, `joins`, `refreshes`,
        /// `unanswered`, `cancelled` and the `bypasses_…`; a call for several keys does for each of them.
        /// Calls while the cache is [switched off](crate::Mode) are the plain call, and not counted.
        ///
        /// ```
        /// let stats = cache_runtime::global().stats();
        /// println!("{} calls, of which {:?} did not run the body", stats.calls(), stats.hit_ratio());
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Stats {
            /// What was added since an earlier reading of the same counters.
            #[must_use]
            pub fn since(&self, earlier: &Self) -> Self {
                Self { $($name: self.$name.saturating_sub(earlier.$name),)* }
            }
        }

        /// One of several sets of the same counters, on cache lines of its own.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        struct Shard {
            $($name: AtomicU64,)*
        }

        /// The names of the counters.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(non_camel_case_types)]
        #[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "without Redis, some things do not happen"))]
        pub(crate) enum Count {
            $($name,)*
        }

        impl Shard {
            #[inline]
            fn of(&self, count: Count) -> &AtomicU64 {
                match count {
                    $(Count::$name => &self.$name,)*
                }
            }

            fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }

        impl std::ops::Add for Stats {
            type Output = Self;

            /// Both together.
            fn add(self, other: Self) -> Self {
                Self { $($name: self.$name + other.$name,)* }
            }
        }
    };
}

counters! {
    /// Calls answered from the store.
    hits,
    /// Calls answered from the local tier in front of it.
    local_hits,
    /// Calls answered with a value past its TTL: see the options `stale_while_revalidate`, `stale_if_error` and `timeout` of
    /// [`#[cached]`](macro@crate::cached).
    stale_hits,
    /// Calls that found no usable value and ran the body to fill the slot.
    misses,
    /// Calls answered by a load that another caller ran.
    joins,
    /// Calls within [`refresh`](crate::refresh) that found a value and ran the body to replace it.
    refreshes,
    /// Calls within [`only_cached`](crate::only_cached), and of [`Cache::get`](crate::Cache::get), that had nothing to answer with. No
    /// body ran.
    unanswered,
    /// Calls whose future was dropped, or whose body panicked, before it was known what they would be counted as; and keys of a call
    /// that ended with the error of another key's load.
    cancelled,
    /// Loads to replace a value at or near the end of its TTL, in the background or inline. Not calls: whoever is answered
    /// meanwhile is counted as a hit.
    revalidations,
    /// Runs of the annotated function's body by calls that went through the cache, counted when they begin. Those that verify a hit are
    /// not among them.
    ///
    /// What is in neither `loads_ok` nor `load_errors` runs now, or was dropped, or has panicked.
    loads,
    /// Loads that have ended well. Of a load for several keys, each of them counts.
    loads_ok,
    /// Loads that returned an error.
    load_errors,
    /// Values stored.
    fills,
    /// Values not stored because their key was invalidated, or their lease expired, while they were loaded.
    fills_refused,
    /// Calls that ran the body because their caller asked for that with [`bypass`](crate::bypass).
    bypasses_asked,
    /// Calls within a [`transaction`](crate::transaction) that ran the body, and stored nothing: the transaction has mutated their key,
    /// or it was not cached.
    bypasses_transaction,
    /// Calls that ran the body because a mutation of their key was under way, or its invalidation not yet delivered.
    bypasses_fenced,
    /// Calls that ran the body because they had waited long enough for another's load.
    bypasses_waited,
    /// Calls that ran the body because the load they waited for had failed.
    bypasses_failed,
    /// Calls that ran the body because the store did not answer in time, or with an error.
    bypasses_store,
    /// Operations that the store failed to carry out: the sum of the following `errors_…`.
    store_errors,
    /// Of these: not answered within the store budget.
    errors_timeout,
    /// Of these: the store could not be reached.
    errors_unavailable,
    /// Of these: answered with an error, such as out of memory, read-only, or loading.
    errors_rejected,
    /// Of these: answered with something that is no answer.
    errors_garbled,
    /// Of these: not tried, because the [breaker](crate::Breaker) was open.
    errors_breaker_open,
    /// Of these: not tried for another reason, such as that there was no tokio runtime.
    errors_other,
    /// Values in the store that this call site cannot read: of another type, version, codec or format.
    unreadable,
    /// Values in the store that a tag was invalidated of since they were loaded.
    outdated,
    /// Values that were not stored because they are larger than the bound.
    too_large,
    /// Values that were not stored because they cannot be encoded, or would come back as other values: see
    /// [`Codec`](crate::Codec).
    unencodable,
    /// Hits that were held against their source ([`Policy::verify`](crate::Policy::verify)), and told the same.
    verified,
    /// Hits whose source told something else, and that nothing had invalidated a second later: stale values.
    mismatches,
    /// Hits that were held against their source, and of which nothing is known: they were invalidated meanwhile, or the body failed,
    /// panicked, or took longer than a call waits for another's load.
    unverified,
    /// Keys invalidated, as acknowledged by the store.
    invalidations,
    /// Keys whose invalidation the store did not take at once; they are retried until it does.
    invalidations_queued,
    /// Of these: no longer kept one by one, because there were too many. The epoch of the namespace moves in their place, which
    /// empties it.
    invalidations_dropped,
    /// Bytes of encoded values that were read from the store. The embedded store and the local tier encode nothing.
    bytes_read,
    /// Bytes of encoded values that were sent to the store.
    bytes_written,
}

impl Count {
    /// What an error of the store is counted as, besides `store_errors`.
    pub(crate) const fn of(error: ErrorKind) -> Self {
        match error {
            ErrorKind::Timeout => Self::errors_timeout,
            ErrorKind::Unavailable => Self::errors_unavailable,
            ErrorKind::Rejected => Self::errors_rejected,
            ErrorKind::Garbled => Self::errors_garbled,
            ErrorKind::BreakerOpen => Self::errors_breaker_open,
            ErrorKind::NoRuntime
            | ErrorKind::Unencodable
            | ErrorKind::TooLarge
            | ErrorKind::Off
            | ErrorKind::UnknownTemplate => Self::errors_other,
        }
    }
}

/// Counters, made when the first of them is used.
#[derive(Debug)]
pub(crate) struct Counters {
    /// One for each place that threads count at, made when a thread does.
    shards: OnceLock<Box<[OnceLock<Box<Shard>>; PLACES]>>,
    /// Of calls that were answered from the cache.
    pub(crate) hits: Timings,
    /// Of runs of the body.
    pub(crate) loads: Timings,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Self {
            shards: OnceLock::new(),
            hits: Timings::new(),
            loads: Timings::new(),
        }
    }

    #[inline]
    pub(crate) fn add(&self, count: Count) {
        self.add_times(count, 1);
    }

    #[inline]
    pub(crate) fn add_times(&self, count: Count, times: u64) {
        let shards = self.shards.get_or_init(none);
        let place = place_of_this_thread();
        let Some(shard) = shards.get(place) else {
            return;
        };
        let counter = shard.get_or_init(Box::default).of(count);
        if place < OWN {
            // Nobody else writes here: an addition that others could not come in between costs several times as much.
            let sum = counter.load(Ordering::Relaxed).wrapping_add(times);
            counter.store(sum, Ordering::Relaxed);
        } else {
            counter.fetch_add(times, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Stats {
        let shards = self.shards.get().into_iter().flat_map(|all| all.iter());
        shards
            .filter_map(OnceLock::get)
            .map(|shard| shard.read())
            .fold(Stats::default(), |sum, shard| sum + shard)
    }

    /// Whether anything was counted.
    pub(crate) fn are_used(&self) -> bool {
        self.shards.get().is_some()
    }

    pub(crate) fn measured(&self) -> Measured {
        Measured {
            stats: self.read(),
            hits: self.hits.read(),
            loads: self.loads.read(),
        }
    }
}

#[cold]
fn none() -> Box<[OnceLock<Box<Shard>>; PLACES]> {
    Box::new([const { OnceLock::new() }; PLACES])
}

/// As many hits in this process as one that is timed stands for: two looks at the clock cost more than all else that is counted.
pub(crate) const STANDS_FOR: u64 = 128;

/// Before the first hit of a thread.
const UNDRAWN: u64 = 0;

/// Now, if this hit is one of those that are timed.
#[inline]
pub(crate) fn timed() -> Option<Instant> {
    // Which hit from here on is timed: the next is the first.
    thread_local!(static NEXT: Cell<u64> = const { Cell::new(UNDRAWN) });
    NEXT.try_with(one).ok().flatten()
}

/// One hit.
#[inline]
fn one(next: &Cell<u64>) -> Option<Instant> {
    let hit = next.get();
    if hit > 1 {
        next.set(hit - 1);
        return None;
    }
    timed_if_first(next)
}

/// Not each 128th: of call sites that take turns, one would always be timed, and the other never. Nor the first of each thread, which
/// takes longer than the others.
#[cold]
fn timed_if_first(next: &Cell<u64>) -> Option<Instant> {
    let gap = || fastrand::u64(1..2 * STANDS_FOR);
    if next.get() == UNDRAWN {
        // As if the thread had always been there, and begun to look at some moment: of all gaps, it would be in a long one more often,
        // and anywhere in it. The lesser of two different numbers up to 256 is as often 1, 2, … as the rest of such a gap.
        let first = fastrand::u64(1..=2 * STANDS_FOR);
        let second = gap();
        let hit = first.min(second + u64::from(second >= first));
        if hit > 1 {
            next.set(hit - 1);
            return None;
        }
    }
    next.set(gap());
    Some(Instant::now())
}

impl Stats {
    /// The calls that went through the cache.
    #[must_use]
    pub const fn calls(&self) -> u64 {
        self.hits
            + self.local_hits
            + self.stale_hits
            + self.misses
            + self.joins
            + self.refreshes
            + self.unanswered
            + self.cancelled
            + self.bypasses_asked
            + self.bypasses_transaction
            + self.bypasses_fenced
            + self.bypasses_waited
            + self.bypasses_failed
            + self.bypasses_store
    }

    /// The calls that were answered without a run of the body of their own: hits, and those who waited for another's load.
    #[must_use]
    pub const fn spared(&self) -> u64 {
        self.hits + self.local_hits + self.stale_hits + self.joins
    }

    /// The share of the calls that were [spared](Self::spared). `None` without calls.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "it is a share")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let calls = self.calls();
        (calls > 0).then(|| self.spared() as f64 / calls as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The coldest hit of a thread stands for no more than any other.
    #[test]
    fn each_hit_of_a_thread_is_timed_as_often_as_any_other() {
        const THREADS: u64 = 4_000;
        const HITS: usize = 40;
        let mut timed_of = [0_u64; HITS];
        for _ in 0..THREADS {
            let next = Cell::new(UNDRAWN);
            for timed in &mut timed_of {
                *timed += u64::from(one(&next).is_some());
            }
        }
        let all: u64 = timed_of.iter().sum();
        let expected = THREADS * HITS as u64 / STANDS_FOR;
        // Six standard deviations, and of each hit by itself.
        assert!(all.abs_diff(expected) < 220, "{all} of {expected}");
        assert!(timed_of.iter().all(|timed| *timed < 66), "{timed_of:?}");
    }

    #[test]
    fn a_hit_that_is_timed_stands_for_so_many() {
        let next = Cell::new(UNDRAWN);
        let timed = (0..1_000_000).filter(|_| one(&next).is_some()).count() as u64;
        assert!(timed.abs_diff(1_000_000 / STANDS_FOR) < 400, "{timed}");
    }
}
