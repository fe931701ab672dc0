//! How a process follows the switch of its fleet.

use std::collections::HashSet;
use std::ptr;
#[cfg(feature = "redis")]
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::Record;
use crate::cache::Inner;
#[cfg(feature = "redis")]
use crate::changes::Changed;
use crate::clock::Tick;
use crate::error::CacheError;
#[cfg(feature = "redis")]
use crate::error::ErrorKind;
#[cfg(feature = "redis")]
use crate::lock::lock;
#[cfg(feature = "redis")]
use crate::seldom::Seldom;
use crate::site::CallSite;
#[cfg(feature = "redis")]
use crate::solo::{Solo, Turn};
#[cfg(feature = "redis")]
use crate::store::Store;
#[cfg(feature = "redis")]
use crate::store::redis::BETWEEN_WARNINGS;
use crate::switch::Mode;
use crate::tally::At;
#[cfg(feature = "redis")]
use crate::timer;

#[cfg(feature = "redis")]
/// How often a process reads the record.
const INTERVAL: Duration = Duration::from_millis(500);

#[cfg(feature = "redis")]
/// After this time without a sign of the task that reads it, a call sees to it that there is one: within a second, the switch is seen.
const DUE: Duration = Duration::from_millis(750);

/// What one cache knows of its fleet.
#[derive(Debug)]
pub(crate) struct Following {
    pub(super) known: Mutex<Record>,
    /// Whether the record was read since this process may contact the store.
    is_known: AtomicBool,
    /// The call sites whose template is off, by their addresses.
    pub(super) sites_off: RwLock<HashSet<usize>>,
    /// When the next call is to look whether somebody follows.
    due: AtomicU64,
    /// When it is told of that the record cannot be read.
    #[cfg(feature = "redis")]
    unread: Seldom,
    #[cfg(feature = "redis")]
    follower: Solo,
}

impl Default for Following {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            is_known: AtomicBool::new(false),
            sites_off: RwLock::default(),
            due: AtomicU64::new(0),
            #[cfg(feature = "redis")]
            unread: Seldom::once_in(BETWEEN_WARNINGS),
            #[cfg(feature = "redis")]
            follower: Solo::with_silence(DUE),
        }
    }
}

impl Following {
    /// Whether a call is to look after it.
    #[inline]
    fn is_due(&self) -> bool {
        Tick::now().to_bits() >= self.due.load(Ordering::Relaxed)
    }

    #[cfg(feature = "redis")]
    fn is_seen_to(&self) {
        let due = Tick::now().plus(DUE);
        self.due.store(due.to_bits(), Ordering::Relaxed);
    }

    /// Nobody follows any more: the next call looks after it.
    fn is_left(&self) {
        self.due.store(0, Ordering::Relaxed);
    }

    /// Whether the template of a call site is off.
    pub(crate) fn is_off(&self, site: &'static CallSite) -> bool {
        let off = self.sites_off.read();
        let off = off.unwrap_or_else(PoisonError::into_inner);
        off.contains(&ptr::from_ref(site).addr())
    }
}

impl Inner {
    /// Sees to it that a task follows the switch of the fleet, if that is due and this thread has a runtime.
    #[inline]
    pub(crate) fn follow_fleet(self: &Arc<Self>) {
        if self.following.is_due() {
            self.begin_to_follow();
        }
    }

    #[cold]
    fn begin_to_follow(self: &Arc<Self>) {
        #[cfg(feature = "redis")]
        if let Store::Redis(store) = &self.store {
            let Ok(runtime) = tokio::runtime::Handle::try_current() else {
                return;
            };
            // It would read nothing, and be in the place of one that does.
            if self.switch.own() == Mode::Detached || store.is_out_of_place() {
                return;
            }
            self.following.is_seen_to();
            if let Some(turn) = self.following.follower.begin() {
                runtime.spawn(follow(Arc::downgrade(self), turn));
            }
            return;
        }
        // The fleet is this process.
        self.following.is_known.store(true, Ordering::Relaxed);
        self.following.due.store(u64::MAX, Ordering::Relaxed);
    }

    /// The same, and whether what the switch says is known: if not, [`learn_fleet`](Self::learn_fleet) is to be asked before the store is.
    #[inline]
    pub(crate) fn knows_fleet(self: &Arc<Self>) -> bool {
        self.follow_fleet();
        self.following.is_known.load(Ordering::Relaxed)
    }

    /// Reads the record for a call that is the first of its process, or among the first; whether it goes through the cache then.
    ///
    /// # Errors
    ///
    /// When the store does not answer within the budget, or refuses everything, as one that is loading. A record that cannot be read, or must
    /// not be, is none: the task that follows tells of that.
    #[cfg_attr(
        not(feature = "redis"),
        allow(
            clippy::unused_async,
            unused_variables,
            reason = "the embedded store does not wait"
        )
    )]
    pub(crate) async fn learn_fleet(
        self: &Arc<Self>,
        at: At,
        budget: Duration,
    ) -> Result<bool, CacheError> {
        #[cfg(feature = "redis")]
        if let Store::Redis(store) = &self.store {
            let known = self.known_fleet();
            if let Ok(Some(found)) = store.fleet_within(budget).await? {
                self.obey(found, &known);
            }
            self.following.is_known.store(true, Ordering::Relaxed);
        }
        Ok(self.admits(at))
    }

    /// What this process knows of the record.
    #[cfg(feature = "redis")]
    pub(crate) fn known_fleet(&self) -> Record {
        lock(&self.following.known).clone()
    }

    /// Waits as long as the other processes take at most to put back what was lost.
    #[cfg(feature = "redis")]
    pub(super) async fn until_put_back(&self) {
        timer::sleep(INTERVAL + INTERVAL / 5).await;
    }

    /// Begins to follow anew, or ends to, with the mode of this process.
    pub(crate) fn follow_fleet_anew(self: &Arc<Self>) {
        if self.switch.own() == Mode::Detached {
            // What becomes of it until the way back, nobody sees.
            self.following.is_known.store(false, Ordering::Relaxed);
        }
        self.following.is_left();
        self.follow_fleet();
    }

    /// Reads the record once. What cannot be read changes nothing.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub(crate) async fn read_fleet(self: &Arc<Self>) -> Result<(), CacheError> {
        #[cfg(feature = "redis")]
        if let Store::Redis(store) = &self.store {
            let known = self.known_fleet();
            let found = store.fleet().await??;
            let stands = match found {
                found if known.is_newer_than(found.as_ref()) => store.restore(&known).await?,
                Some(found) if known.is_undated(&found) => match store.date(&found, &known).await {
                    Ok(dated) => dated,
                    // It will not be dated by this process, and holds all the same.
                    Err(error) if error.kind() == ErrorKind::Rejected => {
                        self.obey(found, &known);
                        return Err(error);
                    }
                    Err(error) => return Err(error),
                },
                found => found,
            };
            if let Some(stands) = stands {
                self.obey(stands, &known);
            }
            self.following.is_known.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// That somebody follows, until it is dropped: also where its runtime ends.
#[cfg(feature = "redis")]
struct Follower {
    cache: Weak<Inner>,
    turn: Turn,
}

#[cfg(feature = "redis")]
impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(inner) = self.cache.upgrade() {
            inner.following.is_left();
        }
    }
}

/// Reads the record again and again, for as long as there is the cache and no other task does.
#[cfg(feature = "redis")]
async fn follow(cache: Weak<Inner>, turn: Turn) {
    let follower = Follower { cache, turn };
    loop {
        // Not kept over the delay: a cache that nobody has any more ends.
        match follower.cache.upgrade() {
            Some(inner) if follower.turn.go_on() && inner.switch.own() != Mode::Detached => {
                inner.following.is_seen_to();
                if inner.look_at_fleet().await.is_err() {
                    return;
                }
            }
            _ => return,
        }
        timer::sleep(INTERVAL.mul_f64(0.9 + 0.1 * fastrand::f64())).await;
    }
}

#[cfg(feature = "redis")]
impl Inner {
    fn tell_that_it_is_unread(&self, error: &CacheError) {
        if self.following.unread.is_due() {
            let error = error.to_string();
            self.changes.note(Changed::FleetUnread { error }, None);
        }
    }

    /// Reads the record, if Redis is there; `Err` where this runtime cannot ask it.
    async fn look_at_fleet(self: &Arc<Self>) -> Result<(), CacheError> {
        let Store::Redis(store) = &self.store else {
            return Ok(());
        };
        if store.is_breaker_open() {
            // Where the fleet is off, no call does.
            store.probe();
            return Ok(());
        }
        match self.read_fleet().await {
            Err(error) if error.kind() == ErrorKind::NoRuntime => Err(error),
            Err(error) if error.kind() == ErrorKind::Rejected => {
                self.tell_that_it_is_unread(&error);
                Ok(())
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
