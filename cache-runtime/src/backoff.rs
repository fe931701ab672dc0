//! Delays between attempts.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// From 50 ms, doubled each time, each with a jitter of up to as much again, to 1 s at most. Never ends.
pub(crate) fn backoff() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(SLOWEST / 2)
        .with_jitter()
        .without_max_times()
        .build()
        .chain(std::iter::repeat(SLOWEST))
}

const SLOWEST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_from_50_ms_to_1_s() {
        let delays: Vec<_> = backoff().take(20).collect();
        assert!(delays[0] >= Duration::from_millis(50) && delays[0] <= Duration::from_millis(100));
        assert!(delays[19] >= SLOWEST / 2);
        assert!(delays.iter().all(|delay| *delay <= SLOWEST), "{delays:?}");
    }
}
