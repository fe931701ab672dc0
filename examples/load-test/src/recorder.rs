//! Latency and outcome of each request of a phase.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::{CreationError, Histogram};

/// Latencies are counted in microseconds, with three digits.
const DIGITS: u8 = 3;

/// Two digits do for the picture, which holds a histogram for each second.
const DIGITS_PER_SECOND: u8 = 2;

/// More than any request takes before it is given up.
const HIGHEST: u64 = 60_000_000;

/// How many failures are kept to be shown.
const EXAMPLES: usize = 5;

/// What a request was about, as the report groups them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    User,
    Dashboard,
    Session,
    Settings,
    Write,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::User,
        Self::Dashboard,
        Self::Session,
        Self::Settings,
        Self::Write,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::User => "GET /users/{id}",
            Self::Dashboard => "GET /dashboards/{id}",
            Self::Session => "GET /sessions/{token}",
            Self::Settings => "GET /settings",
            Self::Write => "writes",
        })
    }
}

/// Why an answer does not count as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No answer, or one with an unexpected status or body.
    Error(String),
    /// An answer that was out of date when the request was sent, or that belongs to somebody else.
    Wrong(String),
}

/// Everything measured in one phase.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) all: Histogram<u64>,
    pub(crate) by_kind: Vec<Histogram<u64>>,
    /// From the start of the warm-up.
    pub(crate) by_second: Vec<Histogram<u64>>,
    pub(crate) errors: u64,
    pub(crate) wrong: u64,
    pub(crate) examples: Vec<String>,
}

/// Takes the measurements of all connections.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    warm_up: Duration,
    end: Duration,
    recorded: Mutex<Recorded>,
}

impl Recorder {
    /// A recorder for a phase that starts now.
    pub(crate) fn start(warm_up: Duration, measured: Duration) -> anyhow::Result<Self> {
        let end = warm_up + measured;
        let by_kind: Result<_, _> = Kind::ALL.iter().map(|_| histogram(DIGITS)).collect();
        let by_second: Result<_, _> = (0..end.as_secs())
            .map(|_| histogram(DIGITS_PER_SECOND))
            .collect();
        Ok(Self {
            start: Instant::now(),
            warm_up,
            end,
            recorded: Mutex::new(Recorded {
                all: histogram(DIGITS)?,
                by_kind: by_kind?,
                by_second: by_second?,
                errors: 0,
                wrong: 0,
                examples: Vec::new(),
            }),
        })
    }

    /// Takes down a request. One that was answered in the warm-up shows in the picture only; failures count always.
    pub(crate) fn record(
        &self,
        kind: Kind,
        sent: Instant,
        answered: Instant,
        failure: Option<Failure>,
    ) {
        let at = answered - self.start;
        let latency = u64::try_from((answered - sent).as_micros()).unwrap_or(u64::MAX);
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = failure {
            recorded.fail(kind, failure);
        }
        let second = usize::try_from(at.as_secs()).unwrap_or(usize::MAX);
        if let Some(histogram) = recorded.by_second.get_mut(second) {
            histogram.saturating_record(latency);
        }
        if (self.warm_up..self.end).contains(&at) {
            recorded.all.saturating_record(latency);
            recorded.by_kind[kind as usize].saturating_record(latency);
        }
    }

    pub(crate) fn finish(self) -> Recorded {
        self.recorded
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn histogram(digits: u8) -> Result<Histogram<u64>, CreationError> {
    Histogram::new_with_max(HIGHEST, digits)
}

impl Recorded {
    fn fail(&mut self, kind: Kind, failure: Failure) {
        let (counter, example) = match failure {
            Failure::Error(example) => (&mut self.errors, example),
            Failure::Wrong(example) => (&mut self.wrong, example),
        };
        *counter += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(format!("{kind}: {example}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warm_up_shows_in_the_picture_only() -> anyhow::Result<()> {
        let recorder = Recorder::start(Duration::from_secs(3_600), Duration::from_secs(1))?;
        let now = Instant::now();
        recorder.record(Kind::User, now, now, None);
        let result = recorder.finish();
        assert_eq!(result.all.len(), 0);
        assert_eq!(result.by_second[0].len(), 1);
        Ok(())
    }

    #[test]
    fn latencies_are_microseconds() -> anyhow::Result<()> {
        let recorder = Recorder::start(Duration::ZERO, Duration::from_secs(3_600))?;
        let sent = Instant::now();
        recorder.record(Kind::User, sent, sent + Duration::from_millis(250), None);
        let result = recorder.finish();
        assert!((result.all.mean() - 250_000.0).abs() < 250.0);
        Ok(())
    }

    #[test]
    fn each_kind_is_counted_apart_and_all_together() -> anyhow::Result<()> {
        let recorder = Recorder::start(Duration::ZERO, Duration::from_secs(3_600))?;
        let now = Instant::now();
        recorder.record(Kind::User, now, now, None);
        recorder.record(
            Kind::Write,
            now,
            now,
            Some(Failure::Error("500".to_owned())),
        );
        recorder.record(Kind::User, now, now, Some(Failure::Wrong("old".to_owned())));
        let result = recorder.finish();
        assert_eq!(result.all.len(), 3);
        assert_eq!(result.by_kind[Kind::User as usize].len(), 2);
        assert_eq!((result.errors, result.wrong), (1, 1));
        assert_eq!(result.examples, ["writes: 500", "GET /users/{id}: old"]);
        Ok(())
    }
}
