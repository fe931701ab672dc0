//! Counters: what happened, per call site and per cache.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde::Serialize;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// A reading of the counters of one call site or one [`Cache`](crate::Cache), all since the process started.
        ///
        /// Each call that goes through the cache adds to exactly one of `hits`, `local_hits`, `stale_hits`, `misses`, `joins`, `refreshes`,
        /// `unanswered` and the `bypasses_…`.
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
            fn add(&self, count: Count) {
                match count {
                    $(Count::$name => &self.$name,)*
                }
                .fetch_add(1, Ordering::Relaxed);
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
    /// Calls within [`only_cached`](crate::only_cached) that had nothing to answer with. The body did not run.
    unanswered,
    /// Loads to replace a value at or near the end of its TTL, in the background or inline. Not calls: whoever is answered
    /// meanwhile is counted as a hit.
    revalidations,
    /// Runs of the annotated function's body by calls that went through the cache.
    loads,
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
    /// Operations that the store failed to carry out.
    store_errors,
    /// Values in the store that this call site cannot read: of another type, version, codec or format.
    unreadable,
    /// Values in the store that a tag was invalidated of since they were loaded.
    outdated,
    /// Values that were not stored because they are larger than the bound.
    too_large,
    /// Values that were not stored because they cannot be encoded, or would come back as other values: see
    /// [`Codec`](crate::Codec).
    unencodable,
    /// Keys invalidated, as acknowledged by the store.
    invalidations,
    /// Keys whose invalidation the store did not take at once; they are retried until it does.
    invalidations_queued,
}

/// How many threads can count at the same time without waiting for each other's cache lines.
const SHARDS: usize = 16;

/// Counters, made when the first of them is used.
#[derive(Debug)]
pub(crate) struct Counters(OnceLock<Box<[Shard; SHARDS]>>);

impl Counters {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    #[inline]
    pub(crate) fn add(&self, count: Count) {
        let shards = self.0.get_or_init(Box::default);
        if let Some(shard) = shards.get(shard_of_this_thread()) {
            shard.add(count);
        }
    }

    pub(crate) fn read(&self) -> Stats {
        let shards = self.0.get().into_iter().flat_map(|shards| shards.iter());
        shards
            .map(Shard::read)
            .fold(Stats::default(), |sum, shard| sum + shard)
    }
}

/// Threads take turns at the shards.
#[inline]
fn shard_of_this_thread() -> usize {
    thread_local!(static SHARD: Cell<usize> = const { Cell::new(usize::MAX) });
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD
        .try_with(|shard| {
            if shard.get() == usize::MAX {
                shard.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
            }
            shard.get()
        })
        .unwrap_or(0)
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
            + self.bypasses_asked
            + self.bypasses_transaction
            + self.bypasses_fenced
            + self.bypasses_waited
            + self.bypasses_failed
            + self.bypasses_store
    }

    /// The share of the calls that were answered without a run of the body: hits, and those who waited for another's load. `None`
    /// without calls.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "it is a share")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let calls = self.calls();
        (calls > 0).then(|| {
            (self.hits + self.local_hits + self.stale_hits + self.joins) as f64 / calls as f64
        })
    }
}
