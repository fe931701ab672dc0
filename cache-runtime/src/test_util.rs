//! Tests of your own (feature `test_util`): a clock that moves when the test says so.
//!
//! ```
//! use std::time::Duration;
//! use cache_runtime::test_util::TestClock;
//! use cache_runtime::{Cache, CacheConfig, Key, Policy};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = TestClock::new();
//! let cache = Cache::new(CacheConfig::embedded().clock(&clock))?;
//! let (key, policy) = (Key::of("price").part(&7_u64), Policy::new(Duration::from_secs(3600)));
//! let price = async || cache.get_or_load(&key, policy, async || Ok::<_, std::io::Error>(9.99)).await;
//!
//! let before = cache.stats();
//! price().await?;
//! clock.advance(Duration::from_secs(3599));
//! price().await?;
//! assert_eq!(cache.stats().since(&before).loads, 1);
//! clock.advance(Duration::from_secs(1));
//! price().await?;
//! assert_eq!(cache.stats().since(&before).loads, 2);
//! # Ok(()) }
//! ```
//!
//! A cache of the embedded store shares nothing with any other: with one for each test, two tests never see each other's values,
//! whatever keys they use and however many run at once. To make it takes no server and a few microseconds.
//!
//! Turn the feature on for tests alone:
//!
//! ```toml
//! [dev-dependencies]
//! cache-runtime = { version = "0.1", features = ["test_util"] }
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::clock::Tick;

/// A clock that stands still until it is [advanced](Self::advance). Cloning it gives another handle to the same clock; several
/// caches may have the same.
///
/// By it values live in the embedded store and in the local tier, for exactly their TTL (without the jitter of other caches), and
/// leases and fences in the embedded store. What waits, waits as ever: for another's load, for the store, and until a
/// lease is renewed. So a test that advances the clock beyond a lease while its load runs sees what becomes of a load that was
/// suspended for so long: it is not stored. A Redis server has a clock of its own, by which values leave it; whether one that it
/// still has is fresh, stale or due for a refresh is told by this clock, there as well.
///
/// Two clocks are equal if they are handles to the same one.
#[derive(Clone, Debug)]
pub struct TestClock {
    began: (Tick, Instant, SystemTime),
    /// In nanoseconds.
    passed: Arc<AtomicU64>,
}

impl TestClock {
    /// A clock that stands still.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: (Tick::now(), Instant::now(), SystemTime::now()),
            passed: Arc::default(),
        }
    }

    /// Lets time pass. More than ten years in all are as good as ten.
    pub fn advance(&self, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let passes = |passed: u64| Some(passed.saturating_add(time).min(LONGEST));
        let _ = self
            .passed
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, passes);
    }

    /// How much time has passed since the clock was made.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.passed.load(Ordering::SeqCst))
    }

    pub(crate) fn tick(&self) -> Tick {
        self.began.0.plus(self.elapsed())
    }

    pub(crate) fn instant(&self) -> Instant {
        let (_, began, _) = self.began;
        began.checked_add(self.elapsed()).unwrap_or(began)
    }

    pub(crate) fn system_time(&self) -> SystemTime {
        let (_, _, began) = self.began;
        began.checked_add(self.elapsed()).unwrap_or(began)
    }
}

/// Ten years, in nanoseconds: no life is longer.
const LONGEST: u64 = 10 * 365 * 24 * 60 * 60 * 1_000_000_000;

impl Default for TestClock {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for TestClock {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.passed, &other.passed)
    }
}

impl Eq for TestClock {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::slot::{Reply, Step, Token};
    use crate::store::Payload;
    use crate::{Cache, CacheConfig, ConfigError, Key, Policy};

    const MINUTE: Duration = Duration::from_secs(60);
    const ALMOST: Duration = Duration::from_millis(59_999);
    const REST: Duration = Duration::from_millis(1);

    fn cache(clock: &TestClock) -> Result<Cache, ConfigError> {
        Cache::new(CacheConfig::embedded().clock(clock).lease(MINUTE))
    }

    #[tokio::test]
    async fn a_value_lives_for_exactly_its_ttl_and_an_absent_one_for_its_own()
    -> Result<(), ConfigError> {
        let clock = TestClock::new();
        let cache = cache(&clock)?;
        let policy = Policy::new(2 * MINUTE).none_ttl(MINUTE);
        let loads = async |found: Option<u64>| {
            let before = cache.stats();
            let key = Key::of("k").part(&found.is_some());
            let load = async || Ok::<_, ()>(found);
            assert_eq!(
                cache.get_or_load_optional(&key, policy, load).await,
                Ok(found)
            );
            cache.stats().since(&before).loads
        };
        assert_eq!((loads(Some(1)).await, loads(None).await), (1, 1));
        clock.advance(ALMOST);
        assert_eq!((loads(Some(1)).await, loads(None).await), (0, 0));
        clock.advance(REST);
        assert_eq!((loads(Some(1)).await, loads(None).await), (0, 1));
        clock.advance(MINUTE);
        assert_eq!(loads(Some(1)).await, 1);
        Ok(())
    }

    /// On the store itself: who finds a lease waits for its load, and that takes real time.
    #[tokio::test]
    async fn leases_and_fences_end_by_it() -> Result<(), ConfigError> {
        let clock = TestClock::new();
        let cache = cache(&clock)?;
        let key = cache.render(&Key::of("k"));
        let apply = async |step: Step<Payload>| {
            let store = &cache.inner.store;
            store.apply(&key, step, MINUTE, Budget::of(MINUTE)).await
        };
        let (lease, fence) = (Token::next(), Token::next());
        for step in [Step::Acquire { lease, over: None }, Step::Raise(fence)] {
            assert!(apply(step).await.is_ok());
            clock.advance(ALMOST);
            let found = apply(Step::Read).await;
            assert!(matches!(found, Ok(Reply::Leased(_) | Reply::Fenced)));
            clock.advance(REST);
            assert!(matches!(apply(Step::Read).await, Ok(Reply::Miss)));
        }
        Ok(())
    }

    #[test]
    fn handles_are_to_one_clock_which_does_not_overflow() {
        let clock = TestClock::default();
        let handle = clock.clone();
        handle.advance(MINUTE);
        assert_eq!(clock.elapsed(), MINUTE);
        assert_eq!(clock, handle);
        assert_ne!(clock, TestClock::default());
        for _ in 0..2 {
            clock.advance(Duration::MAX);
        }
        assert_eq!(clock.elapsed(), Duration::from_nanos(LONGEST));
        assert!(clock.instant() > clock.began.1 && clock.tick() > clock.began.0);
    }
}
