//! What the callers do: mostly read, now and then mutate; some are dropped, some fail.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_util::FutureExt;

use super::journal::Journal;
use super::repository::{self, Change, Failure, Source};
use crate::clock::Moment;
use crate::database::{Database, Fate, Write};
use crate::knobs::{
    COLD_KEYS, FENCE, KEYS, LEASE, PATIENCE, SLOW_KEY, SLOWEST_COMMIT, SLOWEST_LOAD, THINK,
    is_tagged, takes_fences,
};
use crate::mutants::Fault;
use crate::record::{Ending, Found, Kind, Mutated, Read, Record};
use crate::value::Entry;

/// One of those who call at the same time.
pub(super) struct Caller {
    database: Arc<Database>,
    journal: Arc<Journal>,
    random: Rng,
    fault: Option<Fault>,
}

/// How a call came to its end.
enum Outcome<T> {
    Returned(Result<T, Failure>),
    /// Dropped by its caller, at this moment.
    Dropped(Moment),
    Broken(String),
}

impl Caller {
    pub(super) fn new(
        database: Arc<Database>,
        journal: Arc<Journal>,
        seed: u64,
        fault: Option<Fault>,
    ) -> Self {
        Self {
            database,
            journal,
            random: Rng::with_seed(seed),
            fault,
        }
    }

    /// Calls until the process is to rest.
    pub(super) async fn call_on(mut self) {
        while !self.journal.rests() {
            let think = self.up_to(THINK);
            tokio::time::sleep(think).await;
            if self.random.u8(0..100) < 98 {
                let key = self.key_to_read();
                let source = self.source(key);
                // Most of these are hits, and over before.
                let patience = self.one_in(12).then(|| self.up_to_ms(100));
                self.read(key, source, patience, false).await;
            } else if self.one_in(40) {
                self.overlap_mutations().await;
            } else if self.one_in(6) {
                self.overtake_a_load().await;
            } else if self.one_in(12) {
                self.overtake_a_renewed_lease().await;
            } else {
                let key = self.random.u64(0..KEYS);
                self.mutate(key).await;
            }
        }
    }

    /// A mutation ends, and lowers its fence, shortly before another of the same key commits under its own: between two looks of
    /// that one at it.
    async fn overlap_mutations(&mut self) {
        let key = self.random.u64(COLD_KEYS / 2..SLOW_KEY / 2) * 2;
        let mut other = self.fork();
        let (before, later) = (self.up_to(FENCE / 3), self.up_to(FENCE / 12));
        let kind = Kind::FencedOrFail;
        let slow = self.change(key, kind, Fate::Commit, before, None);
        let quick = async {
            tokio::time::sleep(later).await;
            let before = other.up_to_ms(8);
            // Its value must not stay: the slow one commits after it.
            let kind = if other.one_in(3) { Kind::Through } else { kind };
            other.change(key, kind, Fate::Commit, before, None).await;
        };
        tokio::join!(slow, quick);
    }

    /// A mutation raises its fence when a load is about to take its lease, or has it; and that load ends, or fails and gives its
    /// lease back, before the mutation commits.
    async fn overtake_a_load(&mut self) {
        let key = self.random.u64(0..COLD_KEYS / 2) * 2;
        let before = self.up_to_ms(4);
        // Leaves the slot empty, so that the load is likely to take the lease.
        self.change(key, Kind::Plain, Fate::Commit, before, None)
            .await;
        let mut other = self.fork();
        let (there, back) = (self.up_to_ms(10), self.up_to(FENCE / 8));
        let source = Source::new(self.database.clone(), there, back, self.random.bool());
        let load = self.read(key, source, None, false);
        let mutation = async {
            // At once, the fence is raised between the look at the empty slot and the lease.
            if other.random.bool() {
                let later = other.up_to(FENCE / 16);
                tokio::time::sleep(later).await;
            }
            let before = FENCE / 10 + other.up_to(FENCE / 5);
            other
                .change(key, Kind::FencedOrFail, Fate::Commit, before, None)
                .await;
        };
        tokio::join!(load, mutation);
    }

    /// A load goes on that was overtaken shortly before its lease is renewed: the slot is likely to be empty then.
    async fn overtake_a_renewed_lease(&mut self) {
        let key = self.random.u64(0..COLD_KEYS);
        let before = self.up_to_ms(4);
        self.change(key, Kind::Plain, Fate::Commit, before, None)
            .await;
        let mut other = self.fork();
        let renewed = LEASE / 3;
        let (there, back) = (self.up_to_ms(8), renewed + self.up_to(renewed / 2));
        let source = Source::new(self.database.clone(), there, back, false);
        let load = self.read(key, source, None, false);
        let mutation = async {
            let before = renewed * 4 / 5 + other.up_to(renewed / 5);
            other
                .change(key, Kind::Plain, Fate::Commit, before, None)
                .await;
        };
        tokio::join!(load, mutation);
    }

    /// Another, for what this one does at the same time.
    fn fork(&mut self) -> Self {
        Self {
            database: self.database.clone(),
            journal: self.journal.clone(),
            random: self.random.fork(),
            fault: self.fault,
        }
    }

    /// Reads a key when all is over.
    pub(super) async fn review(&mut self, key: u64) {
        let source = Source::new(self.database.clone(), Duration::ZERO, Duration::ZERO, false);
        self.read(key, source, None, true).await;
    }

    /// A mutation that its process does not survive.
    pub(super) async fn die(&mut self, key: u64, after_ms: u64) {
        let before = Duration::from_millis(after_ms);
        let kind = Kind::FencedOrFail;
        self.change(key, kind, Fate::CommitAndKill, before, None)
            .await;
    }

    async fn read(&mut self, key: u64, source: Source, patience: Option<Duration>, review: bool) {
        let local = !review && !is_tagged(key) && self.one_in(3);
        let start = Moment::now();
        let call = async {
            match self.fault {
                Some(Fault::KeepsOn) if local => {
                    repository::find_nearby_for_long(&source, key).await
                }
                _ if local => repository::find_nearby(&source, key).await,
                _ if is_tagged(key) => repository::find_tagged(&source, key).await,
                Some(Fault::ErrorsOfTheCache) => repository::find_carelessly(&source, key).await,
                Some(Fault::WrongKey) => repository::find_by_a_wrong_key(&source, key).await,
                _ if self.random.bool() => repository::find_directly(&source, key).await,
                _ => repository::find(&source, key).await,
            }
        };
        let outcome = run(call, patience, SLOWEST_LOAD).await;
        let end = Moment::now();
        let found = match outcome {
            Outcome::Returned(Ok(entry)) => found(key, &entry),
            Outcome::Returned(Err(Failure::Asked)) => Found::Failed,
            Outcome::Returned(Err(error)) => Found::Broken(error.to_string()),
            Outcome::Dropped(_) => Found::Dropped,
            Outcome::Broken(how) => Found::Broken(how),
        };
        self.journal.push(Record::Read(Read {
            key,
            start,
            end,
            found,
            load: source.load_run(),
            local,
            review,
        }));
    }

    async fn mutate(&mut self, key: u64) {
        let kind = match self.random.u8(0..10) {
            0..3 if key == SLOW_KEY => Kind::FencedOrFail,
            4.. if key == SLOW_KEY => Kind::Plain,
            0..3 if takes_fences(key) => Kind::FencedOrFail,
            3 if takes_fences(key) && self.random.bool() => Kind::Fenced,
            3 if takes_fences(key) => Kind::Through,
            4..6 => Kind::OrFail,
            6 => Kind::ByHand,
            _ => Kind::Plain,
        };
        let fate = match self.random.u8(0..100) {
            0 => Fate::Fail,
            1 => Fate::CommitAfterFailing,
            _ => Fate::Commit,
        };
        // Some outlive the life of a fence, and are overtaken by others of the same key.
        let before = if key == SLOW_KEY && kind.has_fence() {
            FENCE + self.up_to(FENCE)
        } else if self.one_in(if kind.has_fence() { 10 } else { 40 }) {
            self.up_to(SLOWEST_COMMIT)
        } else if self.random.bool() {
            self.up_to_ms(100)
        } else {
            self.up_to_ms(8)
        };
        let is_dropped =
            kind != Kind::ByHand && self.one_in(if kind.has_fence() { 60 } else { 20 });
        let patience = is_dropped.then(|| self.up_to(before + Duration::from_millis(20)));
        self.change(key, kind, fate, before, patience).await;
    }

    async fn change(
        &mut self,
        key: u64,
        kind: Kind,
        fate: Fate,
        before: Duration,
        patience: Option<Duration>,
    ) {
        let op = self.journal.next_op();
        let start = Moment::now();
        self.journal.push(Record::Begun {
            op,
            kind,
            key,
            at: start,
        });
        let write = Write {
            op,
            key,
            kind,
            start,
            on_its_way: self.up_to_ms(12),
            fate,
        };
        let change = Change::new(self.database.clone(), write, before, self.up_to_ms(20));
        let call = async {
            match kind {
                Kind::Plain => repository::change(&change, key).await,
                Kind::OrFail => repository::change_or_fail(&change, key).await,
                Kind::Fenced => repository::change_fenced(&change, key).await,
                Kind::FencedOrFail => repository::change_fenced_or_fail(&change, key).await,
                Kind::Through => repository::change_through(&change, key).await,
                Kind::ByHand => repository::change_by_hand(&change, key).await,
            }
        };
        let outcome = run(call, patience, SLOWEST_COMMIT).await;
        let delivered = self.journal.has_delivered();
        let end = Moment::now();
        // A body that did not run has committed nothing: any moment will do.
        let ended = change.ended().unwrap_or(start);
        let (decided, ending) = match outcome {
            Outcome::Returned(Ok(_)) => (ended, Ending::Returned),
            Outcome::Returned(Err(Failure::Asked)) => (ended, Ending::Failed),
            Outcome::Returned(Err(Failure::Refused)) => (ended, Ending::Refused),
            Outcome::Returned(Err(error)) => (ended, Ending::Broken(error.to_string())),
            Outcome::Dropped(at) => (at, Ending::Dropped),
            Outcome::Broken(how) => (ended, Ending::Broken(how)),
        };
        self.journal.push(Record::Mutated(Mutated {
            op,
            key,
            kind,
            decided,
            end,
            delivered,
            ending,
        }));
    }

    fn key_to_read(&mut self) -> u64 {
        if self.one_in(32) {
            self.random.u64(..COLD_KEYS)
        } else {
            self.random.u64(COLD_KEYS..KEYS)
        }
    }

    fn source(&mut self, key: u64) -> Source {
        // Whoever loads a cold key is likely to be alone, and to be overtaken. What is slow is likely to fail: a load that gives
        // its lease back late meets what others have made of the slot.
        let (slowest, fails) = if self.one_in(if key < COLD_KEYS { 6 } else { 40 }) {
            (SLOWEST_LOAD, self.random.bool())
        } else if self.one_in(4) {
            (Duration::from_millis(80), self.one_in(4))
        } else {
            (Duration::from_millis(6), self.one_in(200))
        };
        let (there, back) = (self.up_to(slowest / 3), self.up_to(slowest * 2 / 3));
        Source::new(self.database.clone(), there, back, fails)
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.random.u32(0..n) == 0
    }

    fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }

    fn up_to_ms(&mut self, most: u64) -> Duration {
        self.up_to(Duration::from_millis(most))
    }
}

/// Runs one call, to be dropped when its caller's patience ends. `own` is what its own load or body may take.
async fn run<T>(
    call: impl Future<Output = Result<T, Failure>>,
    patience: Option<Duration>,
    own: Duration,
) -> Outcome<T> {
    let limit = patience.unwrap_or(PATIENCE + own);
    let mut call = Box::pin(AssertUnwindSafe(call).catch_unwind());
    match tokio::time::timeout(limit, call.as_mut()).await {
        Ok(Ok(returned)) => Outcome::Returned(returned),
        Ok(Err(_)) => Outcome::Broken("a panic".to_owned()),
        Err(_) if patience.is_none() => Outcome::Broken(format!("no answer within {limit:?}")),
        Err(_) => {
            let at = Moment::now();
            drop(call);
            Outcome::Dropped(at)
        }
    }
}

fn found(key: u64, entry: &Entry) -> Found {
    if !entry.is_whole() {
        Found::Damaged
    } else if entry.key != key {
        Found::Foreign {
            key: entry.key,
            version: entry.version,
        }
    } else {
        Found::Version(entry.version)
    }
}
