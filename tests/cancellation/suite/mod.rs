//! Every annotation and every method, dropped at each await point and panicking at each point of its body. The same for
//! every store.
//!
//! A lease and a fence live for ten minutes here, and nobody's patience ends before: what would be put right by waiting
//! hangs, and fails.

mod mutations;
mod readers;
mod stale_readers;

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use cache_runtime::{Cache, Key, Policy, cached, global, install};
use cache_tests::wait::LIMIT;
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tokio::task::yield_now;

const FOREVER: Duration = Duration::from_secs(600);

pub(crate) const HOUR: Policy = Policy::new(Duration::from_secs(3600));

/// A cache that never waits anything out.
pub(crate) fn cache() -> Cache {
    let config = crate::config().lease(FOREVER).fence(FOREVER).wait(FOREVER);
    Cache::new(config).expect("a cache")
}

/// The cache of the annotated functions, for one test at a time: what is undelivered is counted for all.
pub(crate) async fn turn() -> MutexGuard<'static, ()> {
    static INSTALLED: Once = Once::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    INSTALLED.call_once(|| install(cache()).expect("installed once"));
    TURN.lock().await
}

/// An id that nobody else uses.
pub(crate) fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) fn key(id: u64) -> Key {
    Key::of("cancellation").part(&id)
}

/// The database behind one key: it goes from 0 to 1. Each of its operations has several await points.
pub(crate) struct Source {
    value: AtomicU64,
    loads: AtomicUsize,
    progress: AtomicU32,
    /// Loads wait here.
    gate: Semaphore,
    /// The point at which an operation panics, the first that comes to it.
    panics_at: AtomicU32,
    has_failed: AtomicBool,
}

/// The points of a commit. Before the first it has not begun, at the second it has changed the source.
pub(crate) const BEGUN: u32 = 1;
const COMMITTED: u32 = 2;
pub(crate) const FINISHED: u32 = 4;

/// The points of a load: before it has read the source, and after.
pub(crate) const LOADING: u32 = 5;
pub(crate) const LOADED: u32 = 6;

impl Source {
    pub(crate) fn new() -> Self {
        Self {
            value: AtomicU64::new(0),
            loads: AtomicUsize::new(0),
            progress: AtomicU32::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            panics_at: AtomicU32::new(0),
            has_failed: AtomicBool::new(false),
        }
    }

    /// One whose loads wait until it is opened.
    pub(crate) fn closed() -> Self {
        Self {
            gate: Semaphore::new(0),
            ..Self::new()
        }
    }

    pub(crate) fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn panicking_at(point: u32) -> Self {
        Self {
            panics_at: AtomicU32::new(point),
            ..Self::new()
        }
    }

    pub(crate) fn value(&self) -> u64 {
        self.value.load(Ordering::SeqCst)
    }

    pub(crate) fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    /// How far the commit has come.
    pub(crate) fn progress(&self) -> u32 {
        self.progress.load(Ordering::SeqCst)
    }

    /// What a cached body does.
    pub(crate) async fn load(&self) -> u64 {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.pass(LOADING).await;
        let value = self.value();
        let _open = self.gate.acquire().await;
        self.pass(LOADED).await;
        value
    }

    /// What the body of a mutation does.
    pub(crate) async fn commit(&self) {
        for point in BEGUN..=FINISHED {
            if point == COMMITTED {
                self.value.store(1, Ordering::SeqCst);
            }
            self.progress.store(point, Ordering::SeqCst);
            if point < FINISHED {
                self.pass(point).await;
            }
        }
    }

    /// An await point.
    async fn pass(&self, point: u32) {
        let panics = self.panics_at.load(Ordering::SeqCst) == point;
        assert!(
            !panics || self.has_failed.swap(true, Ordering::SeqCst),
            "as planned"
        );
        yield_now().await;
    }
}

#[cached(key = "cancellation:<id>", ttl = "1h", skip(source))]
pub(crate) async fn read(id: u64, source: &Source) -> u64 {
    source.load().await
}

/// Whether a read is answered from the cache.
pub(crate) async fn is_hit(id: u64, source: &Source) -> bool {
    let before = source.loads();
    let value = in_time(read(id, source)).await;
    assert_eq!(value, source.value());
    source.loads() == before
}

/// The next call loads and fills, unless the value is there, and the call after it is a hit: nothing is left in the way.
pub(crate) async fn is_free(id: u64, source: &Source) -> bool {
    is_hit(id, source).await || is_hit(id, source).await
}

/// Far less than [`FOREVER`], and enough for a slow machine.
pub(crate) async fn in_time<R>(future: impl Future<Output = R>) -> R {
    let result = tokio::time::timeout(LIMIT, future).await;
    result.expect("nobody waits for an expiry")
}

/// Lets those go on who wait for a reply that the store has given.
pub(crate) async fn turns_for_all() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// Nothing waits for delivery, and another process sees nothing old.
pub(crate) async fn is_delivered(id: u64, source: &Source) {
    cache_tests::eventually("the invalidation is delivered", async || {
        // A call on this runtime starts the task that delivers, should the task be gone with another.
        in_time(read(id, source)).await;
        global().undelivered() == 0
    })
    .await;
    for elsewhere in crate::elsewhere() {
        let found = elsewhere.get::<u64>(&key(id), HOUR).await;
        let found = found.expect("an answer");
        assert!(
            found.is_none_or(|value| value == source.value()),
            "stale: {found:?}"
        );
    }
}
