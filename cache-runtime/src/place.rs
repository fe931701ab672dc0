//! Where a thread counts: at a place of its own, so that threads neither wait for each other's cache lines nor pay for an atomic
//! addition.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// As many threads as this have a place of their own, from the first thing that they count to their end.
pub(crate) const OWN: usize = 64;

/// The others take turns at places that they share.
const SHARED: usize = 8;

pub(crate) const PLACES: usize = OWN + SHARED;

/// Which of the places that are one thread's are taken.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// The place of a thread that has not counted yet.
const NONE: usize = usize::MAX;

thread_local!(static PLACE: Cell<usize> = const { Cell::new(NONE) });

/// Below [`OWN`], no other thread counts there.
#[inline]
pub(crate) fn place_of_this_thread() -> usize {
    match PLACE.with(Cell::get) {
        NONE => take(),
        place => place,
    }
}

#[cold]
fn take() -> usize {
    thread_local!(static OURS: Ours = const { Ours(Cell::new(NONE)) });
    let place = own().unwrap_or_else(shared);
    let place = match OURS.try_with(|ours| ours.0.set(place)) {
        // Where the thread is about to end, there is nothing that would give the place back.
        Err(_) if place < OWN => {
            give_back(place);
            shared()
        }
        _ => place,
    };
    PLACE.with(|its| its.set(place));
    place
}

/// A place that nobody has.
fn own() -> Option<usize> {
    let mut taken = TAKEN.load(Ordering::Relaxed);
    loop {
        let place = taken.trailing_ones();
        if place == u64::BITS {
            return None;
        }
        // Acquire: what the thread that had it before has counted is there.
        let (with, order) = (taken | 1 << place, Ordering::Acquire);
        match TAKEN.compare_exchange_weak(taken, with, order, Ordering::Relaxed) {
            Ok(_) => return usize::try_from(place).ok(),
            Err(now) => taken = now,
        }
    }
}

fn shared() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    OWN + NEXT.fetch_add(1, Ordering::Relaxed) % SHARED
}

fn give_back(place: usize) {
    TAKEN.fetch_and(!(1 << place), Ordering::Release);
}

/// The place that a thread has until it ends.
struct Ours(Cell<usize>);

impl Drop for Ours {
    fn drop(&mut self) {
        let place = self.0.get();
        if place < OWN {
            // What is counted while the rest of the thread's data is dropped.
            PLACE.with(|its| its.set(shared()));
            give_back(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Barrier;

    use super::*;
    use crate::stats::{Count, Counters};

    /// More threads than have a place of their own, some of which count only while they end.
    #[test]
    fn no_count_is_lost_whoever_counts() {
        const THREADS: usize = 100;
        const EACH: u64 = 1000;
        static COUNTERS: Counters = Counters::new();
        struct AtTheEnd;
        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                COUNTERS.add(Count::joins);
            }
        }
        thread_local!(static LAST: AtTheEnd = const { AtTheEnd });

        // In two rounds: those of the second count where those of the first did.
        for _ in 0..2 {
            let all = Barrier::new(THREADS);
            let places: Vec<usize> = std::thread::scope(|threads| {
                let running: Vec<_> = (0..THREADS)
                    .map(|_| {
                        threads.spawn(|| {
                            LAST.with(|_| {});
                            for _ in 0..EACH {
                                COUNTERS.add(Count::hits);
                            }
                            all.wait();
                            place_of_this_thread()
                        })
                    })
                    .collect();
                let ended = running.into_iter().map(std::thread::ScopedJoinHandle::join);
                ended.filter_map(Result::ok).collect()
            });
            let own = places.iter().filter(|place| **place < OWN);
            let (count, own) = (own.clone().count(), own.collect::<HashSet<_>>().len());
            assert_eq!(count, own, "two threads have one place");
            assert!(places.len() == THREADS && places.iter().any(|place| *place >= OWN));
        }
        let stats = COUNTERS.read();
        let threads = 2 * THREADS as u64;
        assert_eq!((stats.hits, stats.joins), (threads * EACH, threads));
    }
}
