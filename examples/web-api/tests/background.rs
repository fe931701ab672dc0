//! What the service does in the background, by a clock that moves when the test says so. A program of its own: the clock is that of the
//! process's cache.

use std::time::Duration;

use anyhow::Context as _;
use cache_runtime::test_util::TestClock;
use cache_runtime::{Cache, CacheConfig};
use web_api::database::Database;
use web_api::repository::Repository;

/// The dashboard's TTL is five minutes, and its window ten.
const STALE: Duration = Duration::from_secs(6 * 60);

#[tokio::test]
async fn a_dashboard_is_refreshed_while_the_old_one_is_shown() -> anyhow::Result<()> {
    let clock = TestClock::new();
    let cache = Cache::new(CacheConfig::embedded().clock(&clock))?;
    cache_runtime::install(cache.clone())?;
    let directory = tempfile::tempdir()?;
    let database = Database::open(&directory.path().join("test.sqlite"), 2).await?;
    let dataset = database
        .fill(200.try_into().context("users")?, |_| {})
        .await?;
    let repository = Repository::new(database);
    let dashboard = async || repository.dashboard(1, dataset.last_day).await;
    let first = dashboard().await?.context("a dashboard")?;

    let before = cache.stats();
    clock.advance(STALE);
    let second = dashboard().await?.context("a dashboard")?;
    assert_eq!(second.standing.rank, first.standing.rank);
    assert_eq!(cache.stats().since(&before).stale_hits, 1, "nobody waited");

    let refreshed = tokio::time::timeout(Duration::from_secs(30), async {
        while cache.stats().since(&before).fills == 0 {
            tokio::task::yield_now().await;
        }
    });
    refreshed.await?;
    let before = cache.stats();
    dashboard().await?;
    assert_eq!(cache.stats().since(&before).hits, 1, "fresh again");
    Ok(())
}
