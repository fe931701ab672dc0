//! Background tasks of which one runs at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::lock::lock;

/// A task that gave no sign of life for this long is taken to stand still, if nothing else is said: its runtime is kept, and not driven.
const SILENCE: Duration = Duration::from_secs(5);

/// The place of a background task. Whoever finds it free may start the task on the runtime at hand; the place is free again
/// when the task ends, when its runtime is shut down under it, or when it has been silent for too long.
#[derive(Clone, Debug)]
pub(crate) struct Solo {
    silence: Duration,
    place: Arc<Mutex<Option<(u64, Instant)>>>,
}

impl Default for Solo {
    fn default() -> Self {
        Self::with_silence(SILENCE)
    }
}

impl Solo {
    /// The place of a task that may be silent for this long.
    pub(crate) fn with_silence(silence: Duration) -> Self {
        Self {
            silence,
            place: Arc::default(),
        }
    }

    /// Takes the place, if it is free.
    pub(crate) fn begin(&self) -> Option<Turn> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut place = lock(&self.place);
        if place.is_some_and(|(_, sign)| sign.elapsed() < self.silence) {
            return None;
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        *place = Some((id, Instant::now()));
        Some(Turn {
            solo: self.clone(),
            id,
        })
    }
}

/// One task's time in the place.
#[derive(Debug)]
pub(crate) struct Turn {
    solo: Solo,
    id: u64,
}

impl Turn {
    /// Gives a sign of life; `false` if another has taken the place, and this task is to end.
    pub(crate) fn go_on(&self) -> bool {
        match &mut *lock(&self.solo.place) {
            Some((id, sign)) if *id == self.id => {
                *sign = Instant::now();
                true
            }
            _ => false,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut place = lock(&self.solo.place);
        if place.is_some_and(|(id, _)| id == self.id) {
            *place = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_free_again_afterwards() {
        let solo = Solo::default();
        let turn = solo.begin();
        assert!(turn.as_ref().is_some_and(Turn::go_on));
        assert!(solo.begin().is_none());
        drop(turn);
        assert!(solo.begin().is_some());
    }

    #[test]
    fn a_silent_task_is_replaced_and_told_so() {
        let solo = Solo::default();
        let silent = solo.begin();
        if let Some((_, sign)) = &mut *lock(&solo.place) {
            *sign = Instant::now().checked_sub(SILENCE).unwrap_or(*sign);
        }
        let next = solo.begin();
        assert!(silent.as_ref().is_some_and(|turn| !turn.go_on()));
        drop(silent);
        assert!(
            next.is_some_and(|turn| turn.go_on()),
            "and takes nothing with it"
        );
    }
}
