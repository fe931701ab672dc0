//! Flights: callers of this process who wait for one load, found by its lease.
//!
//! By the lease, and only by the lease. Joining by key would lose promise 1:
//!
//! 1. L takes lease `a` of the key and begins to load the old value.
//! 2. An invalidation completes: the slot is empty.
//! 3. R begins, after the invalidation. By key it would find L's flight and be handed the old value.
//!    By lease it reads an empty slot, takes a lease `b` of its own, and loads the new value.
//!
//! A reader who does read `a` in the slot has begun before any invalidation of it completed.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::key::RenderedKey;
use crate::lock::lock;
use crate::store::Payload;
use crate::token::Token;

/// The flights of one cache. There are no more of them than running calls.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Name, Boarded>>);

/// A flight is found by its lease, and by the key as well: where answers of a store are mixed up, the lease of one key stands in
/// the answer for another.
type Name = (Token, RenderedKey);

/// A flight and how many callers sit in it.
#[derive(Debug)]
struct Boarded {
    flight: Arc<Flight>,
    seats: usize,
}

#[derive(Debug)]
struct Flight {
    phase: watch::Sender<Phase>,
    settled: AtomicBool,
}

/// Where a flight is.
#[derive(Clone, Debug)]
enum Phase {
    /// A leader is at work.
    Led,
    /// The leader was cancelled: the first follower to notice takes over.
    Vacant,
    /// It is over.
    Landed(Landing),
}

/// How a flight ended, for those who waited.
#[derive(Clone, Debug)]
pub(crate) enum Landing {
    /// With this value.
    Value(Payload),
    /// The load failed; with its error, if that can be shared. Everyone without it loads for himself, at once:
    /// taking turns behind a failing source would make the last wait for all the others.
    Failed(Option<Arc<dyn Any + Send + Sync>>),
    /// The slot holds something else now.
    Moved,
}

/// What a caller does in a flight.
pub(crate) enum Role {
    /// He brings it to its end.
    Lead(Seat),
    /// He waits for it.
    Follow(Seat),
}

/// One caller's place in a flight; gives it up on drop.
#[derive(Debug)]
pub(crate) struct Seat {
    flights: Arc<Flights>,
    flight: Arc<Flight>,
    name: Name,
    leading: bool,
}

impl Flights {
    /// Takes a place in the flight of the lease `token` of `key`: leads it if there is none yet.
    pub(crate) fn board(self: &Arc<Self>, token: Token, key: &RenderedKey) -> Role {
        let name = (token, key.clone());
        let mut flights = lock(&self.0);
        let (flight, leading) = match flights.entry(name.clone()) {
            Entry::Occupied(mut boarded) => {
                boarded.get_mut().seats += 1;
                (boarded.get().flight.clone(), false)
            }
            Entry::Vacant(vacant) => {
                let flight = Arc::new(Flight {
                    phase: watch::Sender::new(Phase::Led),
                    settled: AtomicBool::new(false),
                });
                vacant.insert(Boarded {
                    flight: flight.clone(),
                    seats: 1,
                });
                (flight, true)
            }
        };
        drop(flights);
        let seat = Seat {
            flights: self.clone(),
            flight,
            name,
            leading,
        };
        if leading {
            Role::Lead(seat)
        } else {
            Role::Follow(seat)
        }
    }
}

impl Seat {
    /// The lease that this flight is about.
    pub(crate) fn token(&self) -> Token {
        self.name.0
    }

    /// The key that it is the lease of.
    pub(crate) fn key(&self) -> &RenderedKey {
        &self.name.1
    }

    /// Whether anyone waits for this flight.
    pub(crate) fn has_followers(&self) -> bool {
        lock(&self.flights.0)
            .get(&self.name)
            .is_some_and(|boarded| boarded.seats > 1)
    }

    /// Ends the flight for those who wait.
    pub(crate) fn land(&self, landing: Landing) {
        self.flight.phase.send_replace(Phase::Landed(landing));
    }

    /// Notes that the slot does not hold this lease any more, so that nobody needs to release it.
    pub(crate) fn settle(&self) {
        self.flight.settled.store(true, Ordering::Release);
    }

    /// Waits for the end: `None` if the leader is gone and this caller leads from now on.
    ///
    /// # Cancel safety
    ///
    /// Dropping this gives the place up; a flight without a leader is left to the other followers.
    pub(crate) async fn landing(&mut self) -> Option<Landing> {
        let mut phases = self.flight.phase.subscribe();
        loop {
            // The sender lives in `self.flight`, so waiting cannot fail.
            let phase = phases
                .wait_for(|phase| !matches!(phase, Phase::Led))
                .await
                .ok()?
                .clone();
            if let Phase::Landed(landing) = phase {
                return Some(landing);
            }
            // One of those who were woken wins; the others wait on.
            let won = self.flight.phase.send_if_modified(|phase| {
                let vacant = matches!(phase, Phase::Vacant);
                if vacant {
                    *phase = Phase::Led;
                }
                vacant
            });
            if won {
                self.leading = true;
                return None;
            }
        }
    }

    /// Gives the place up. `true` if it was the last one and the slot may still hold the lease.
    pub(crate) fn leave(&mut self) -> bool {
        let flight = &self.flight;
        if std::mem::take(&mut self.leading) {
            flight.phase.send_if_modified(|phase| {
                let led = matches!(phase, Phase::Led);
                if led {
                    *phase = if flight.settled.load(Ordering::Acquire) {
                        Phase::Landed(Landing::Moved)
                    } else if std::thread::panicking() {
                        // A body that panics for one caller would for the next.
                        Phase::Landed(Landing::Failed(None))
                    } else {
                        Phase::Vacant
                    };
                }
                led
            });
        }
        let mut flights = lock(&self.flights.0);
        let Entry::Occupied(mut boarded) = flights.entry(self.name.clone()) else {
            return false;
        };
        if !Arc::ptr_eq(&boarded.get().flight, flight) {
            return false;
        }
        boarded.get_mut().seats -= 1;
        if boarded.get().seats > 0 {
            return false;
        }
        boarded.remove();
        !flight.settled.load(Ordering::Acquire)
    }
}
