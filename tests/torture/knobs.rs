//! The sizes and times of the run. The same for the faithful run and for every mutant: what provokes a mutant's race is part
//! of the workload that must be green without it.

use std::time::Duration;

/// How many keys there are: few, so that every race is met often.
pub(crate) const KEYS: u64 = 16;

/// How many keys begin alike: a pattern invalidates them together.
pub(crate) const GROUP: u64 = 4;

/// How many keys are read so seldom that their slots stay empty for a while after a mutation.
pub(crate) const COLD_KEYS: u64 = 4;

/// Whether mutations of this key use fences. One that is dropped leaves its fence, and the next lets that live on: a key that
/// is mutated all the time is then read past the cache all the time.
pub(crate) const fn takes_fences(key: u64) -> bool {
    key.is_multiple_of(2)
}

/// Whether this key is read with a tag, and only the tag, or a pattern, is what tells of a mutation: one key with fences, and one
/// without.
pub(crate) const fn is_tagged(key: u64) -> bool {
    key == 9 || key == 10
}

/// Whether values of this key grow stale all the time, and are returned all the same: one key with fences, and one without.
pub(crate) const fn grows_stale(key: u64) -> bool {
    key == 11 || key == 12
}

/// A key whose fenced mutations are few, and each outlives its fence: unless that is renewed, it falls before the commit.
pub(crate) const SLOW_KEY: u64 = KEYS - 2;

/// Callers in each worker process.
pub(crate) const CALLERS: u64 = 12;

/// The longest pause of a caller between two calls.
pub(crate) const THINK: Duration = Duration::from_millis(16);

/// Short beside the time between two mutations of a key, so that a fence that was left expires; long beside a machine's pauses.
pub(crate) const FENCE: Duration = Duration::from_millis(700);

/// Shorter than the slowest load, so that leases are renewed.
pub(crate) const LEASE: Duration = Duration::from_millis(900);

/// The slowest load, both halves together.
pub(crate) const SLOWEST_LOAD: Duration = Duration::from_millis(600);

/// The slowest mutation before its commit: longer than a fence lives.
pub(crate) const SLOWEST_COMMIT: Duration = Duration::from_millis(1600);

/// The longest life of a value that is to expire soon.
pub(crate) const BRIEF_LIFE: Duration = Duration::from_millis(150);

/// The `local_ttl` of the call site that has one.
pub(crate) const LOCAL_TTL: Duration = Duration::from_millis(300);

/// How late the end of a local value may be seen: a step of the kernel's coarse clock.
pub(crate) const CLOCK_STEP: Duration = Duration::from_millis(10);

/// The default of the runtime: how long one call waits for the store.
pub(crate) const STORE_BUDGET: Duration = Duration::from_millis(250);

/// What a call may take beyond what its own load or body needs. The bounds of the runtime add up to less than 4 s (the
/// budget, the wait for another's load, and that load); the rest is for a busy machine. A longer call hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// How long the workers may take at the end to deliver what is undelivered, with all faults healed.
pub(crate) const DELIVERY: Duration = Duration::from_secs(20);
