//! Sleeping, inside a tokio runtime and outside.

use std::time::Duration;

/// Sleeps. Inside a tokio runtime this is its timer (which must be enabled); elsewhere a thread keeps the time.
pub(crate) async fn sleep(duration: Duration) {
    if tokio::runtime::Handle::try_current().is_ok() {
        tokio::time::sleep(duration).await;
    } else {
        futures_timer::Delay::new(duration).await;
    }
}
