//! The check of the checker on histories written by hand: what it must find, and what it must not.

use super::*;
use crate::database::{Fate, Write};
use crate::keys::KeySet;
use crate::record::Load;

const KEY: u64 = 2;
const ONE: Process = Process(1);
const OTHER: Process = Process(2);

/// A history of two processes.
struct History(Checker);

impl History {
    fn new() -> Self {
        let mut checker = Checker::new(at(0));
        checker.born(ONE, at(0));
        checker.born(OTHER, at(0));
        Self(checker)
    }

    /// A mutation begins, and commits the next version.
    fn commit(&mut self, op: Op, kind: Kind, start: u64, version: u64, when: u64) -> &mut Self {
        self.0.record(
            op.process,
            Record::Begun {
                op,
                keys: KeySet::one(KEY),
                at: at(start),
            },
        );
        self.0.commit(Commit {
            write: Write {
                op,
                keys: KeySet::one(KEY),
                kind,
                start: at(start),
                on_its_way: Duration::ZERO,
                fate: Fate::Commit,
            },
            key: KEY,
            version,
            at: at(when),
        });
        self
    }

    /// It returns, or is dropped.
    fn end(&mut self, op: Op, kind: Kind, ending: Ending, end: u64, delivered: bool) -> &mut Self {
        let mutated = Mutated {
            op,
            keys: KeySet::one(KEY),
            kind,
            decided: at(end),
            end: at(end),
            delivered,
            ending,
        };
        self.0.record(op.process, Record::Mutated(mutated));
        self
    }

    fn read(&mut self, process: Process, start: u64, found: Found) -> &mut Self {
        self.0.record(process, read(start, start + 1, found, None));
        self
    }

    /// A read as something was asked for around it, with a load of its own or without.
    fn ask(&mut self, asked: Asked, start: u64, found: Found, loads: bool) -> &mut Self {
        let load = loads.then_some(Load {
            from: at(start),
            to: at(start + 1),
            version: None,
        });
        let Record::Read(plain) = read(start, start + 1, found, load) else {
            unreachable!("a read")
        };
        self.0.record(OTHER, Record::Read(Read { asked, ..plain }));
        self
    }

    /// A refresh by the other process, which ends a moment after it began.
    fn refresh(&mut self, start: u64, ending: Ending, delivered: bool) -> &mut Self {
        let op = Op {
            process: OTHER,
            number: start,
        };
        let mutated = Mutated {
            op,
            keys: KeySet::one(KEY),
            kind: Kind::Refresh,
            decided: at(start),
            end: at(start + 1),
            delivered,
            ending,
        };
        self.0.record(OTHER, Record::Mutated(mutated));
        self
    }

    fn load(&mut self, process: Process, from: u64, to: u64, version: u64) -> &mut Self {
        let load = Load {
            from: at(from),
            to: at(to),
            version: Some(version),
        };
        let read = read(from, to, Found::Version(version), Some(load));
        self.0.record(process, read);
        self
    }

    fn figures(&mut self) -> Figures {
        self.0.judge_rest();
        self.0.figures()
    }
}

fn at(milliseconds: u64) -> Moment {
    Moment::at_ms(milliseconds)
}

fn op(process: Process) -> Op {
    Op { process, number: 0 }
}

fn read(start: u64, end: u64, found: Found, load: Option<Load>) -> Record {
    Record::Read(Read {
        key: KEY,
        start: at(start),
        end: at(end),
        found,
        load,
        local: false,
        asked: Asked::Nothing,
        several: false,
        review: false,
    })
}

#[test]
fn a_read_that_began_after_a_returned_mutation_must_see_it() {
    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Plain, 10, 1, 15)
        .end(op(ONE), Kind::Plain, Ending::Returned, 20, true)
        .read(OTHER, 19, Found::Version(0));
    assert!(history.figures().are_clean(), "it began before");
    history.read(OTHER, 21, Found::Version(0));
    let figures = history.figures();
    assert_eq!((figures.stale, figures.hits), (1, 2));
    let violation = &history.0.violations()[0];
    assert_eq!(violation.promise, Promise::Stale);
    assert_eq!(
        violation.lines.len(),
        3,
        "the mutation, its promise and the read"
    );
}

#[test]
fn the_order_in_which_processes_tell_is_of_no_account() {
    let mut history = History::new();
    history
        .read(OTHER, 21, Found::Version(0))
        .commit(op(ONE), Kind::Plain, 10, 1, 15)
        .end(op(ONE), Kind::Plain, Ending::Returned, 20, true);
    history.0.record(OTHER, Record::UpTo(at(5000)));
    assert_eq!(history.0.figures().stale, 0, "not everyone has told");
    history.0.record(ONE, Record::UpTo(at(5000)));
    assert_eq!(history.0.figures().stale, 1);
}

#[test]
fn what_is_undelivered_is_in_force_in_its_own_process_only() {
    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Plain, 10, 1, 15)
        .end(op(ONE), Kind::Plain, Ending::Returned, 20, false)
        .read(OTHER, 30, Found::Version(0));
    assert!(history.figures().are_clean());
    history.read(ONE, 30, Found::Version(0));
    assert_eq!(history.figures().stale, 1);
    // Looked before it ended: says nothing about it.
    let delivered = |after, before| Record::Delivered {
        after: at(after),
        before: at(before),
    };
    history.0.record(ONE, delivered(19, 21));
    history.read(OTHER, 40, Found::Version(0));
    assert_eq!(history.figures().stale, 1);
    history.0.record(ONE, delivered(50, 51));
    history.read(OTHER, 52, Found::Version(0));
    assert_eq!(history.figures().stale, 2);
}

#[test]
fn a_dropped_mutation_covers_what_it_had_committed() {
    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Plain, 10, 1, 15)
        .end(op(ONE), Kind::Plain, Ending::Dropped, 20, true)
        .read(OTHER, 30, Found::Version(0));
    assert_eq!(history.figures().stale, 1);

    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Plain, 10, 1, 25)
        .end(op(ONE), Kind::Plain, Ending::Dropped, 20, true)
        .read(OTHER, 30, Found::Version(0));
    assert!(history.figures().are_clean(), "it was on its way");
}

#[test]
fn under_a_fence_a_commit_is_in_force_at_once() {
    let kind = Kind::FencedOrFail;
    let mut history = History::new();
    history
        .commit(op(ONE), kind, 10, 1, 25)
        .end(op(ONE), kind, Ending::Dropped, 20, true)
        .read(OTHER, 24, Found::Version(0));
    assert!(history.figures().are_clean(), "not yet committed");
    history.read(OTHER, 26, Found::Version(0));
    assert_eq!(history.figures().stale, 1);
}

#[test]
fn a_killed_process_loses_nothing_under_a_fence() {
    for (kind, lost) in [(Kind::FencedOrFail, 1), (Kind::Fenced, 0), (Kind::Plain, 0)] {
        let mut history = History::new();
        history.commit(op(ONE), kind, 10, 1, 15);
        history.0.died(ONE, at(20));
        history.read(OTHER, 30, Found::Version(0));
        let figures = history.figures();
        assert_eq!((figures.lost, figures.stale), (lost, 0), "{kind:?}");
    }
}

#[test]
fn a_fence_that_may_be_gone_covers_nothing() {
    let kind = Kind::FencedOrFail;
    let mut history = History::new();
    let flush = history.0.fault_begins(FaultKind::Flush, at(12));
    history.0.fault_ends(flush, at(13), true);
    history
        .commit(op(ONE), kind, 10, 1, 15)
        .read(OTHER, 30, Found::Version(0));
    assert!(history.figures().are_clean());

    // Longer than it lives: it was renewed, unless something stood in the way.
    let late = u64::try_from(FENCE.as_millis()).unwrap_or(0) + 1000;
    for (stalled, stale) in [(false, 1), (true, 0)] {
        let mut history = History::new();
        if stalled {
            history.0.stalled(at(100), at(900));
        }
        history
            .commit(op(ONE), kind, 10, 1, late)
            .read(OTHER, late + 1, Found::Version(0));
        assert_eq!(history.figures().stale, stale);
    }
}

#[test]
fn a_value_of_nobody_of_another_or_of_the_future_is_wrong() {
    for found in [
        Found::Damaged,
        Found::Foreign { key: 3, version: 0 },
        Found::Version(7),
    ] {
        let mut history = History::new();
        history.read(ONE, 10, found);
        assert_eq!(history.figures().wrong, 1);
    }
    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Plain, 10, 1, 50)
        .read(OTHER, 20, Found::Version(1));
    assert_eq!(history.figures().wrong, 1, "committed after it was read");
}

#[test]
fn errors_that_nobody_asked_for_count() {
    let mut history = History::new();
    let broken = || "a panic".to_owned();
    history
        .read(ONE, 10, Found::Failed)
        .read(ONE, 10, Found::Dropped)
        .end(op(ONE), Kind::OrFail, Ending::Refused, 20, true);
    assert!(history.figures().are_clean());
    history.read(ONE, 10, Found::Broken(broken())).end(
        op(ONE),
        Kind::Plain,
        Ending::Broken(broken()),
        20,
        true,
    );
    assert_eq!(history.figures().errors, 2);
}

#[test]
fn two_loads_at_a_time_are_one_too_many_where_nothing_excuses_them() {
    let mut history = History::new();
    history.load(ONE, 10, 20, 0).load(OTHER, 20, 30, 0);
    assert!(history.figures().are_clean(), "one after the other");
    history.load(ONE, 25, 40, 0);
    assert_eq!(history.figures().doubled, 1);

    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Plain, 12, 1, 14)
        .end(op(ONE), Kind::Plain, Ending::Returned, 15, true)
        .load(ONE, 10, 20, 0)
        .load(OTHER, 16, 30, 1);
    assert!(history.figures().are_clean(), "a mutation came between");

    let mut history = History::new();
    history.0.fault_begins(FaultKind::Pause, at(5));
    history.load(ONE, 10, 20, 0).load(OTHER, 15, 30, 0);
    assert!(history.figures().are_clean(), "the store did not answer");

    // The leader whose load failed tells last: he gives his lease back before he returns.
    let mut history = History::new();
    history.load(ONE, 10, 20, 0).load(ONE, 10, 30, 0);
    let failed = Load {
        from: at(5),
        to: at(9),
        version: None,
    };
    history
        .0
        .record(ONE, read(4, 40, Found::Failed, Some(failed)));
    assert!(history.figures().are_clean(), "each loads for himself");
}

#[test]
fn a_pattern_is_in_force_for_each_key() {
    let keys: KeySet = [KEY, KEY + 1].into_iter().collect();
    let mut history = History::new();
    let write = Write {
        op: op(ONE),
        keys,
        kind: Kind::Pattern,
        start: at(10),
        on_its_way: Duration::ZERO,
        fate: Fate::Commit,
    };
    for key in keys.iter() {
        history.0.commit(Commit {
            write,
            key,
            version: 1,
            at: at(15),
        });
    }
    history.0.record(
        ONE,
        Record::Mutated(Mutated {
            op: op(ONE),
            keys,
            kind: Kind::Pattern,
            decided: at(16),
            end: at(20),
            delivered: true,
            ending: Ending::Returned,
        }),
    );
    for key in keys.iter() {
        let Record::Read(of_another) = read(30, 31, Found::Version(0), None) else {
            unreachable!("a read")
        };
        history
            .0
            .record(OTHER, Record::Read(Read { key, ..of_another }));
    }
    let figures = history.figures();
    assert_eq!((figures.stale, figures.patterns), (2, 1));
}

#[test]
fn what_was_asked_of_the_source_is_no_older_than_the_call() {
    for asked in [Asked::Refresh, Asked::Bypass] {
        let mut history = History::new();
        history.commit(op(ONE), Kind::Plain, 10, 1, 15);
        history
            .ask(Asked::Nothing, 20, Found::Version(0), false)
            .ask(asked, 14, Found::Version(0), true);
        assert!(history.figures().are_clean(), "nothing has told of it");
        history.ask(asked, 20, Found::Version(0), true);
        assert_eq!(history.figures().stale, 1, "{asked:?}");
    }
}

#[test]
fn what_a_transaction_loads_may_be_old_and_what_it_hits_may_not() {
    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Transaction, 10, 1, 15)
        .end(op(ONE), Kind::Transaction, Ending::Returned, 20, true)
        .ask(Asked::Transaction, 30, Found::Version(0), true);
    let figures = history.figures();
    assert!(figures.are_clean(), "{figures}");
    assert_eq!(figures.transactions, 1);
    history.ask(Asked::Transaction, 30, Found::Version(0), false);
    assert_eq!(history.figures().stale, 1);
}

/// Whatever becomes of its end.
#[test]
fn a_fenced_transaction_is_in_force_from_its_commit_on() {
    for (kind, stale) in [(Kind::FencedTransaction, 1), (Kind::Transaction, 0)] {
        let mut history = History::new();
        history
            .commit(op(ONE), kind, 10, 1, 15)
            .ask(Asked::Nothing, 20, Found::Version(0), false);
        assert_eq!(history.figures().stale, stale, "{kind:?}");
    }
}

#[test]
fn a_refresh_is_an_invalidation_of_what_was_committed_before() {
    for (ending, stale) in [
        (Ending::Returned, 1),
        (Ending::Off, 0),
        (Ending::Failed, 0),
        (Ending::Dropped, 0),
    ] {
        let mut history = History::new();
        history
            .commit(op(ONE), Kind::Plain, 10, 1, 15)
            .refresh(20, ending, true)
            .read(ONE, 21, Found::Version(0));
        assert!(history.figures().are_clean(), "it began before");
        history.read(ONE, 22, Found::Version(0));
        assert_eq!(history.figures().stale, stale);
    }

    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Plain, 10, 1, 15)
        .refresh(12, Ending::Returned, true)
        .read(ONE, 30, Found::Version(0));
    assert!(history.figures().are_clean(), "committed after it began");

    let mut history = History::new();
    history
        .commit(op(ONE), Kind::Plain, 10, 1, 15)
        .refresh(20, Ending::Returned, false)
        .read(ONE, 30, Found::Version(0));
    assert!(history.figures().are_clean(), "undelivered");
    history.read(OTHER, 30, Found::Version(0));
    assert_eq!(history.figures().stale, 1, "but by its own process");
}

#[test]
fn a_body_runs_within_a_bypass_and_not_within_only_cached() {
    let mut history = History::new();
    history
        .ask(Asked::Bypass, 10, Found::Version(0), true)
        .ask(Asked::OnlyCached, 10, Found::Version(0), false)
        .ask(Asked::OnlyCached, 10, Found::Unanswered, false);
    assert!(history.figures().are_clean());
    history
        .ask(Asked::Bypass, 10, Found::Version(0), false)
        .ask(Asked::OnlyCached, 10, Found::Version(0), true)
        .ask(Asked::OnlyCached, 10, Found::Unanswered, true);
    let figures = history.figures();
    assert_eq!(figures.errors, 3);
    assert_eq!((figures.answered, figures.unanswered), (2, 2));
}

#[test]
fn who_asked_for_a_load_of_his_own_doubles_nobody_elses() {
    let mut history = History::new();
    history
        .load(ONE, 10, 30, 0)
        .ask(Asked::Bypass, 20, Found::Version(0), true);
    assert!(history.figures().are_clean());
    history.load(OTHER, 20, 30, 0);
    assert_eq!(history.figures().doubled, 1);
}
