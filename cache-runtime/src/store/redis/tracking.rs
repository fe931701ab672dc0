//! Client tracking: Redis tells which of the keys that were read on a connection have changed since.
//!
//! It is asked for once a connection is open, together with the record of the generation, so that a move of the epoch is among
//! what it tells. Anything that could hide a word from it is a *gap*: the local tier is cleared, and tracking asked for again.

use std::sync::{Arc, Mutex};

use redis::{PushInfo, PushKind, Value};

use super::generation::GENERATION_LEN;
use crate::lock::lock;
use crate::store::local::LocalTier;

/// Whether one connection is told of changes.
pub(super) struct Tracking {
    local: Arc<LocalTier>,
    state: Mutex<State>,
}

struct State {
    is: Is,
    /// Counts the gaps, so that an answer from before one confirms nothing.
    gaps: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Is {
    /// Not asked for.
    Off,
    /// Asked for, and not yet answered.
    Asked,
    /// Every change of what is read from now on will be told.
    On,
    /// Refused by the server: what is kept lives by its `local_ttl` alone.
    Refused,
    /// The connection was given up.
    Over,
}

impl Tracking {
    /// Of a connection that is about to be opened. Where the protocol has no word for changes, none is expected.
    pub(super) fn new(local: Arc<LocalTier>, speaks_resp3: bool) -> Self {
        let is = if speaks_resp3 { Is::Off } else { Is::Refused };
        Self {
            local,
            state: Mutex::new(State { is, gaps: 0 }),
        }
    }

    pub(super) fn is(&self) -> Is {
        lock(&self.state).is
    }

    /// The right to ask for it: the number to answer with. `None` if it is on, or asked for by another.
    pub(super) fn ask(&self) -> Option<u64> {
        let mut state = lock(&self.state);
        (state.is == Is::Off).then(|| {
            state.is = Is::Asked;
            state.gaps
        })
    }

    /// What became of the question. An answer from before a gap is none.
    pub(super) fn answered(&self, asked: u64, is: Is) {
        let mut state = lock(&self.state);
        if state.is == Is::Asked {
            state.is = if state.gaps == asked { is } else { Is::Off };
        }
    }

    /// A word may have been missed.
    pub(super) fn gap(&self) {
        self.end(Is::Off);
    }

    /// The connection is given up.
    pub(super) fn over(&self) {
        self.end(Is::Over);
    }

    fn end(&self, end: Is) {
        {
            let mut state = lock(&self.state);
            state.gaps += 1;
            // An answer that is under way is waited for: it says `Off` then.
            match state.is {
                Is::Refused | Is::Asked if end == Is::Off => {}
                Is::Over => {}
                _ => state.is = end,
            }
        }
        // In this order: who takes a stamp after this finds that nothing is to be kept.
        self.local.clear();
    }

    /// What the connection was told. `epoch` is what stands in front of every key.
    pub(super) fn told(&self, push: &PushInfo, epoch: &[u8]) {
        match push.kind {
            PushKind::Invalidate => match push.data.first() {
                Some(Value::Array(keys)) => {
                    for key in keys {
                        match key {
                            Value::BulkString(slot) => self.changed(slot, epoch),
                            _ => self.gap(),
                        }
                    }
                }
                // All keys: the database was flushed.
                _ => self.gap(),
            },
            PushKind::Disconnection => self.gap(),
            _ => {}
        }
    }

    fn changed(&self, slot: &[u8], epoch: &[u8]) {
        let Some(rest) = slot.strip_prefix(epoch) else {
            return;
        };
        match rest.split_first() {
            Some((b'.', rest)) => {
                let key = rest
                    .split_at_checked(GENERATION_LEN)
                    .and_then(|(_, key)| key.strip_prefix(b":"));
                if let Some(key) = key {
                    self.local.forget(key);
                }
            }
            // The record of the generation.
            _ => self.gap(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;
    use crate::store::Kept;

    fn told(tracking: &Tracking, kind: PushKind, data: Value) {
        let data = vec![data];
        tracking.told(&PushInfo { kind, data }, b"ns:0");
    }

    fn on() -> Tracking {
        let tracking = Tracking::new(LocalTier::new(10, 1000, Clock::default()).into(), true);
        if let Some(asked) = tracking.ask() {
            tracking.answered(asked, Is::On);
        }
        assert_eq!(tracking.is(), Is::On);
        tracking
    }

    #[test]
    fn an_answer_from_before_a_gap_confirms_nothing() {
        let tracking = Tracking::new(LocalTier::new(10, 1000, Clock::default()).into(), true);
        let asked = tracking.ask();
        assert!(asked.is_some() && tracking.ask().is_none());
        tracking.gap();
        tracking.answered(asked.unwrap_or_default(), Is::On);
        assert_eq!(tracking.is(), Is::Off);
        assert!(tracking.ask().is_some());
        tracking.over();
        tracking.answered(1, Is::On);
        assert_eq!((tracking.is(), tracking.ask()), (Is::Over, None));
    }

    #[test]
    fn what_is_told_is_forgotten() {
        let tracking = on();
        let keep = |key: &[u8]| {
            let kept = Kept::new(key, Some(1_u64), 0, 1);
            let stamp = tracking.local.stamp(key);
            tracking
                .local
                .keep(key, kept, stamp, Duration::from_secs(60));
        };
        let is_kept = |key: &[u8]| tracking.local.hit::<u64, _>(key, 0, |v| v).is_some();
        let name = |name: &str| Value::BulkString(name.into());
        keep(b"user:1");
        keep(b"user:2");
        let keys = vec![
            name("ns:0.0123456789ab:user:1"),
            name("other:0.0123456789ab:user:2"),
        ];
        told(&tracking, PushKind::Invalidate, Value::Array(keys));
        assert!(!is_kept(b"user:1") && is_kept(b"user:2"));
        assert_eq!(tracking.is(), Is::On);
        for (kind, data) in [
            (PushKind::Invalidate, Value::Nil),
            (PushKind::Invalidate, Value::Array(vec![name("ns:0:epoch")])),
            (PushKind::Disconnection, Value::Nil),
        ] {
            let tracking = on();
            let kept = Kept::new(b"user:3", Some(1_u64), 0, 1);
            let stamp = tracking.local.stamp(b"user:3");
            tracking
                .local
                .keep(b"user:3", kept, stamp, Duration::from_secs(60));
            told(&tracking, kind, data);
            assert_eq!(tracking.is(), Is::Off);
            assert!(tracking.local.hit::<u64, _>(b"user:3", 0, |v| v).is_none());
        }
    }
}
