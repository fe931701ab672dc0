//! How a caller mutates.

use std::time::Duration;

use super::calling::{Outcome, run};
use super::change::Change;
use super::repository::{self, Failure};
use super::traffic::Caller;
use crate::clock::Moment;
use crate::database::{Fate, Write};
use crate::keys::{KeySet, Place};
use crate::knobs::{FENCE, KEYS, SLOW_KEY, SLOWEST_COMMIT, is_tagged, takes_fences};
use crate::record::{Ending, Kind, Mutated, Op, Record};

/// How one mutation is to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mutation {
    pub(super) key: u64,
    pub(super) kind: Kind,
    pub(super) fate: Fate,
    /// Before the write is sent.
    pub(super) before: Duration,
    /// After its answer, at most.
    pub(super) after: Duration,
    /// When it is dropped, if it takes longer.
    pub(super) patience: Option<Duration>,
    /// A key that a transaction reads, and its version in the snapshot.
    pub(super) snapshot: Option<(u64, u64)>,
}

impl Mutation {
    pub(super) fn new(key: u64, kind: Kind, before: Duration) -> Self {
        Self {
            key,
            kind,
            fate: Fate::Commit,
            before,
            after: Duration::from_millis(20),
            patience: None,
            snapshot: None,
        }
    }
}

impl Caller {
    /// One of the mutations that nothing is meant to meet.
    pub(super) async fn mutate(&mut self) {
        let key = self.random.u64(0..KEYS);
        let kind = match self.random.u8(0..10) {
            _ if self.one_in(12) => self.pattern(),
            _ if self.one_in(8) => self.transaction(key),
            0..3 if key == SLOW_KEY => Kind::FencedOrFail,
            4.. if key == SLOW_KEY => Kind::Plain,
            0..3 if takes_fences(key) => Kind::FencedOrFail,
            3 if takes_fences(key) && self.random.bool() => Kind::Fenced,
            3 if takes_fences(key) => Kind::Through,
            4..6 => Kind::OrFail,
            6 => Kind::ByHand,
            7 => Kind::Several,
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
        self.change(Mutation {
            fate,
            patience,
            ..Mutation::new(key, kind, before)
        })
        .await;
    }

    pub(super) async fn change(&mut self, mutation: Mutation) {
        let Mutation {
            key,
            kind,
            fate,
            before,
            after,
            patience,
            snapshot,
        } = mutation;
        let (at, keys) = (Place::of(key), kind.keys(key));
        let start = Moment::now();
        let op = self.begin(keys, start);
        let write = Write {
            op,
            keys,
            kind,
            start,
            on_its_way: self.up_to_ms(12),
            fate,
        };
        let change = Change::new(self.database.clone(), write, before, self.up_to(after));
        let inside = self.fork();
        let call = async {
            match kind {
                Kind::Transaction | Kind::FencedTransaction => {
                    Box::pin(inside.transact(&change, keys, kind, snapshot)).await
                }
                // A refresh changes nothing, and is none.
                Kind::Plain | Kind::Refresh => repository::change(&change, at).await,
                Kind::OrFail => repository::change_or_fail(&change, at).await,
                Kind::Fenced => repository::change_fenced(&change, at).await,
                Kind::FencedOrFail => repository::change_fenced_or_fail(&change, at).await,
                Kind::Through if is_tagged(key) => {
                    repository::change_through_tagged(&change, at).await
                }
                Kind::Through => repository::change_through(&change, at).await,
                Kind::ByHand => repository::change_by_hand(&change, at).await,
                Kind::Several => repository::change_several(&change, keys.places()).await,
                Kind::Pattern => repository::change_group(&change, at).await,
                Kind::PatternOrFail => repository::change_group_or_fail(&change, at).await,
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
            keys,
            kind,
            decided,
            end,
            delivered,
            ending,
        }));
    }

    pub(super) fn pattern(&mut self) -> Kind {
        if self.random.bool() {
            Kind::Pattern
        } else {
            Kind::PatternOrFail
        }
    }

    /// Tells that something begins that empties the slots of these keys.
    pub(super) fn begin(&self, keys: KeySet, at: Moment) -> Op {
        let op = self.journal.next_op();
        self.journal.push(Record::Begun { op, keys, at });
        op
    }
}
