//! The active users, and what this process knows must be true of them.
//!
//! Every completed write tells its revision, and every read is held against the revision known when it was sent: an
//! answer that is older is a stale answer. So each read of the test checks the promise that no read which starts
//! after an invalidation has returned gets what was loaded before it. What a mere read has shown is not held against
//! later ones: it may have come from a write whose invalidation is still under way.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index;

/// The newest revision that a completed write has told.
#[derive(Debug, Default)]
pub(crate) struct Newest(AtomicI64);

impl Newest {
    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn written(&self, revision: i64) {
        self.0.fetch_max(revision, Ordering::SeqCst);
    }
}

/// A user who is around during the test.
#[derive(Debug)]
pub(crate) struct ActiveUser {
    pub(crate) id: i64,
    pub(crate) revision: Newest,
    pub(crate) order: Newest,
    token: Mutex<Arc<str>>,
}

impl ActiveUser {
    /// The token of the last login.
    pub(crate) fn token(&self) -> Arc<str> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&token)
    }

    /// Remembers a login and returns the token of the one before. It has to be called before that one is logged out:
    /// a reader whose token is refused can then tell by the change that it is no error.
    pub(crate) fn replace_token(&self, token: Arc<str>) -> Arc<str> {
        let mut current = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, token)
    }
}

/// All active users, the most popular first, and the settings.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) users: Vec<ActiveUser>,
    pub(crate) settings: Newest,
}

impl Population {
    pub(crate) fn new(logins: Vec<(i64, Arc<str>)>) -> Self {
        let users = logins.into_iter().map(|(id, token)| ActiveUser {
            id,
            revision: Newest::default(),
            order: Newest::default(),
            token: Mutex::new(token),
        });
        Self {
            users: users.collect(),
            settings: Newest::default(),
        }
    }
}

/// Draws the ids of the active users, in random order.
pub(crate) fn draw(all: u32, active: u32, seed: u64) -> Vec<i64> {
    let mut random = StdRng::seed_from_u64(seed);
    index::sample(&mut random, all as usize, active.min(all) as usize)
        .into_iter()
        .filter_map(|index| i64::try_from(index + 1).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_drawn_once_each() {
        let ids = draw(1_000, 100, 1);
        assert_eq!(ids, draw(1_000, 100, 1));
        assert_ne!(ids, draw(1_000, 100, 2));
        assert!(ids.iter().all(|id| (1..=1_000).contains(id)));
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 100);
        assert_eq!(draw(5, 100, 1).len(), 5);
    }

    #[test]
    fn the_newest_revision_stays() {
        let newest = Newest::default();
        newest.written(3);
        newest.written(2);
        assert_eq!(newest.get(), 3);
    }
}
