//! Waiting for a condition, with a limit.

use std::time::{Duration, Instant};

/// How long a condition may take to become true. Generous: a slow machine is no failure.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        if started.elapsed() > LIMIT {
            panic!("not within {LIMIT:?}: {what}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
