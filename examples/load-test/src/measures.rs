//! The measures of success: what was to be reached, what was measured, and whether it is enough.

use std::time::Duration;

use serde::Serialize;

use crate::phase::{Outcome, Phase};

/// At least this part of the reads is answered from the cache.
const HIT_RATIO: f64 = 0.8;

/// Each request costs the database at most this part of the queries it cost without the cache.
const REDUCTION: f64 = 0.8;

/// Requests are answered at least this many times faster.
const SPEED_UP: f64 = 10.0;

/// 99 of 100 requests are answered within this.
const P99: Duration = Duration::from_millis(100);

/// What a phase came to, as far as it is judged.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    pub(crate) hit_ratio: Option<f64>,
    pub(crate) queries_per_request: f64,
    pub(crate) mean: Duration,
    pub(crate) p99: Duration,
    pub(crate) errors: u64,
    /// Answers that were held against what is known; `None` if none were.
    pub(crate) wrong: Option<u64>,
}

impl From<&Outcome> for Seen {
    fn from(outcome: &Outcome) -> Self {
        let recorded = &outcome.recorded;
        Self {
            phase: outcome.phase,
            hit_ratio: outcome.work.calls.hit_ratio(),
            queries_per_request: outcome.queries_per_request(),
            mean: Duration::from_secs_f64(recorded.all.mean() / 1e6),
            p99: Duration::from_micros(recorded.all.value_at_quantile(0.99)),
            errors: recorded.errors,
            wrong: Some(recorded.wrong),
        }
    }
}

/// Which measures a test fails for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    All,
    /// But those that depend on how fast the machine is.
    Untimed,
    Nothing,
}

/// All measures that the phases of a test allow.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Measures(pub(crate) Vec<Measure>);

/// One of them.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) target: String,
    pub(crate) measured: String,
    pub(crate) met: bool,
    /// Whether it depends on how fast the machine is.
    #[serde(skip)]
    pub(crate) is_time: bool,
}

impl Measures {
    /// Judges the last phase, compared with the first if there are two.
    pub(crate) fn of(phases: &[Seen]) -> Self {
        let mut measures = Vec::new();
        let Some(on) = phases.last() else {
            return Self(measures);
        };
        let hit_ratio = on.hit_ratio;
        measures.push(Measure {
            name: "hit ratio",
            target: format!(">= {:.0} %", HIT_RATIO * 100.0),
            measured: hit_ratio.map_or("nothing is cached".to_owned(), percent),
            met: hit_ratio.is_some_and(|ratio| ratio >= HIT_RATIO),
            is_time: false,
        });
        if let Some(off) = phases.iter().find(|seen| seen.phase == Phase::CacheOff) {
            let reduction = 1.0 - on.queries_per_request / off.queries_per_request;
            measures.push(Measure {
                name: "fewer database queries per request",
                target: format!(">= {:.0} %", REDUCTION * 100.0),
                measured: percent(reduction),
                met: reduction >= REDUCTION,
                is_time: false,
            });
            let speed_up = off.mean.as_secs_f64() / on.mean.as_secs_f64();
            measures.push(Measure {
                name: "faster mean response",
                target: format!(">= {SPEED_UP:.0} x"),
                measured: format!("{speed_up:.1} x"),
                met: speed_up >= SPEED_UP,
                is_time: true,
            });
        }
        let p99 = on.p99;
        measures.push(Measure {
            name: "p99 response",
            target: format!("< {} ms", P99.as_millis()),
            measured: format!("{:.1} ms", p99.as_secs_f64() * 1e3),
            met: p99 < P99,
            is_time: true,
        });
        measures.push(none_of("errors reaching a caller", on.errors));
        measures.extend(
            on.wrong
                .map(|wrong| none_of("stale or wrong answers", wrong)),
        );
        Self(measures)
    }

    /// Whether all are met that are `checked`.
    pub(crate) fn are_met(&self, checked: Checked) -> bool {
        let mut measures = self.0.iter();
        match checked {
            Checked::All => measures.all(|measure| measure.met),
            Checked::Untimed => measures.all(|measure| measure.met || measure.is_time),
            Checked::Nothing => true,
        }
    }
}

fn none_of(name: &'static str, count: u64) -> Measure {
    Measure {
        name,
        target: "0".to_owned(),
        measured: count.to_string(),
        met: count == 0,
        is_time: false,
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::recorder::{Failure, Kind, Recorder};
    use crate::stats::Work;

    /// A phase of ten requests, each with this latency and number of queries, of which one in ten missed the cache.
    fn outcome(phase: Phase, latency: Duration, queries: u64) -> anyhow::Result<Outcome> {
        let measured = Duration::from_secs(3_600);
        let recorder = Recorder::start(Duration::ZERO, measured)?;
        let sent = Instant::now();
        for _ in 0..10 {
            recorder.record(Kind::User, sent, sent + latency, None);
        }
        Ok(Outcome {
            phase,
            warm_up: Duration::ZERO,
            measured,
            recorded: recorder.finish(),
            work: Work::new(queries * 10, 9, 1),
        })
    }

    fn missed(outcomes: &[Outcome]) -> Vec<&'static str> {
        let seen: Vec<_> = outcomes.iter().map(Seen::from).collect();
        let measures = Measures::of(&seen).0.into_iter();
        measures
            .filter(|measure| !measure.met)
            .map(|measure| measure.name)
            .collect()
    }

    #[test]
    fn a_cache_that_is_worth_it_meets_all_measures() -> anyhow::Result<()> {
        let off = outcome(Phase::CacheOff, Duration::from_millis(50), 10)?;
        let on = outcome(Phase::CacheOn, Duration::from_millis(1), 1)?;
        let measures = Measures::of(&[Seen::from(&off), Seen::from(&on)]);
        assert_eq!(measures.0.len(), 6);
        assert!(measures.are_met(Checked::All), "{measures:?}");
        Ok(())
    }

    #[test]
    fn each_measure_can_be_missed() -> anyhow::Result<()> {
        let off = outcome(Phase::CacheOff, Duration::from_millis(500), 10)?;
        let mut on = outcome(Phase::CacheOn, Duration::from_millis(120), 5)?;
        on.work = Work::new(50, 7, 3);
        let failed = Failure::Error("500".to_owned());
        let recorder = Recorder::start(Duration::ZERO, on.measured)?;
        let sent = Instant::now();
        let answered = sent + Duration::from_millis(120);
        recorder.record(Kind::User, sent, answered, Some(failed));
        recorder.record(
            Kind::User,
            sent,
            answered,
            Some(Failure::Wrong("old".to_owned())),
        );
        on.recorded = recorder.finish();
        assert_eq!(
            missed(&[off, on]),
            [
                "hit ratio",
                "fewer database queries per request",
                "faster mean response",
                "p99 response",
                "errors reaching a caller",
                "stale or wrong answers",
            ]
        );
        Ok(())
    }

    #[test]
    fn one_phase_is_compared_with_nothing() -> anyhow::Result<()> {
        let given = outcome(Phase::Given, Duration::from_millis(1), 1)?;
        assert_eq!(Measures::of(&[Seen::from(&given)]).0.len(), 4);
        let mut given = outcome(Phase::Given, Duration::from_millis(1), 1)?;
        given.work = Work::new(10, 0, 0);
        assert_eq!(missed(&[given]), ["hit ratio"]);
        Ok(())
    }
}
