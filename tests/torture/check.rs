//! The oracle: checks every call against the promises, in the order of time and with bounded memory.
//!
//! Records of different processes arrive out of order, so a read is judged when every process has told all that ended before
//! the read did. The checker is a pure function of what it is told: its own tests hand it histories written by hand.
//!
//! # When a mutation is in force
//!
//! A read that begins after that moment must not return an older version.
//!
//! - A mutation that returned, or was dropped, with nothing undelivered: for all, from then on. With something undelivered:
//!   for its own process from then on, and for all from the first later moment at which nothing was. What it commits after
//!   it was dropped or has failed is not covered by this.
//! - For a read by a call site with a `local_ttl`: by its own process from then on, too; by others, that much later.
//! - A mutation whose fence is known to be up when it commits: for all, from the commit on, whatever becomes of its process.
//!   It is known to be up if the body ran under `fence, on_error = "fail"`, no fault emptied the slots since the call began,
//!   and the fence cannot have expired: it is younger than it lives, or its process ran without a stall or a fault, and so
//!   has renewed it.
//! - A `refresh` that returned a value is a mutation of what was committed before it began: what other calls have done to
//!   the source, and not yet told.
//!
//! What `refresh` and `bypass` return themselves is no older than what was committed before they began. What is loaded within a
//! transaction may be of any age, if nobody else is handed it.

mod telling;

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Moment;
use crate::database::Commit;
use crate::faults::Kind as FaultKind;
use crate::figures::Figures;
use crate::history::{KeyHistory, Loaded, Required};
use crate::knobs::{CLOCK_STEP, FENCE, KEYS, LOCAL_TTL, STORE_BUDGET};
use crate::record::{Asked, Ending, Found, Kind, Mutated, Op, Process, Read, Record};
use crate::violation::{Line, Promise, Violation};
use telling::{load_line, name, read_line};

/// How long after a fault the breaker, the connections and what is undelivered may take to come back.
const AFTERMATH: Duration = Duration::from_secs(2);

/// A record may be written this much later than the moment it tells of.
const LATE: Duration = Duration::from_millis(100);

/// How long a call may go on after its load: a leader whose load failed gives the lease back before he returns, and those who
/// wait load for themselves meanwhile.
const LAST_STEP: Duration = Duration::from_secs(1);

/// What Redis and the worker may differ in when they count how long a fence has lived.
const EXPIRY_SLACK: Duration = Duration::from_millis(100);

/// How many violations are kept to be shown, each once; all are counted.
const SHOWN: usize = 5;

/// A fault, or the time in which nothing is expected of a process.
#[derive(Clone, Copy, Debug)]
struct FaultSpan {
    kind: FaultKind,
    from: Moment,
    to: Option<Moment>,
}

impl FaultSpan {
    fn overlaps(&self, from: Moment, to: Moment, aftermath: Duration) -> bool {
        self.from <= to && self.to.is_none_or(|ended| ended + aftermath >= from)
    }
}

/// What is known of a living process.
#[derive(Debug, Default)]
struct Known {
    up_to: Moment,
    /// Mutations that ended while something was undelivered.
    owed: Vec<Mutated>,
}

/// The checker.
#[derive(Debug)]
pub(crate) struct Checker {
    start: Moment,
    keys: Vec<KeyHistory>,
    living: HashMap<Process, Known>,
    killed: HashMap<Process, Moment>,
    /// Commits under a fence, until all that could have broken it is known.
    fenced: Vec<Commit>,
    reads: Vec<(Process, Read)>,
    /// Loads whose neighbours may not all be known.
    loads: Vec<(u64, Loaded)>,
    faults: Vec<FaultSpan>,
    stalls: Vec<(Moment, Moment)>,
    judged_at: Moment,
    figures: Figures,
    violations: Vec<Violation>,
}

impl Checker {
    pub(crate) fn new(start: Moment) -> Self {
        Self {
            start,
            keys: (0..KEYS).map(|_| KeyHistory::default()).collect(),
            living: HashMap::new(),
            killed: HashMap::new(),
            fenced: Vec::new(),
            reads: Vec::new(),
            loads: Vec::new(),
            faults: Vec::new(),
            stalls: Vec::new(),
            judged_at: start,
            figures: Figures::default(),
            violations: Vec::new(),
        }
    }

    pub(crate) fn figures(&self) -> Figures {
        self.figures
    }

    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(crate) fn start(&self) -> Moment {
        self.start
    }

    /// A process begins.
    pub(crate) fn born(&mut self, process: Process, at: Moment) {
        let known = Known {
            up_to: at,
            owed: Vec::new(),
        };
        self.living.insert(process, known);
    }

    /// A process is dead, and all it had told is recorded. What it owed, only its fences still keep.
    pub(crate) fn died(&mut self, process: Process, at: Moment) {
        self.living.remove(&process);
        self.killed.insert(process, at);
        for key in &mut self.keys {
            key.end_mutations_of(process, at + FENCE + AFTERMATH);
        }
    }

    /// A fault begins; the number names it.
    pub(crate) fn fault_begins(&mut self, kind: FaultKind, at: Moment) -> usize {
        self.faults.push(FaultSpan {
            kind,
            from: at,
            to: None,
        });
        self.faults.len() - 1
    }

    /// A fault is healed. One that could not be brought about is none, and not counted.
    pub(crate) fn fault_ends(&mut self, number: usize, at: Moment, happened: bool) {
        self.faults[number].to = Some(at);
        if happened && self.faults[number].kind != FaultKind::Start {
            self.figures.faults += 1;
        }
    }

    /// The machine had no time for the controller, and so perhaps for nobody.
    pub(crate) fn stalled(&mut self, from: Moment, to: Moment) {
        self.stalls.push((from, to));
    }

    /// A commit, told before any read can return it.
    pub(crate) fn commit(&mut self, commit: Commit) {
        let key = &mut self.keys[index(commit.key)];
        key.commit(commit);
        if commit.write.kind.needs_fence() {
            self.fenced.push(commit);
        }
    }

    /// Something that nobody should see: an error that reached a caller, or a process that died by itself.
    pub(crate) fn error(&mut self, process: Process, at: Moment, what: String) {
        let lines = vec![Line {
            from: at,
            to: None,
            who: name(process),
            what: what.clone(),
        }];
        self.violate(Promise::Error, what, lines, at, at);
    }

    /// Invalidations that were never delivered.
    pub(crate) fn never_delivered(&mut self, process: Process, count: usize, at: Moment) {
        let what = format!("{count} invalidations were never delivered");
        let lines = vec![Line {
            from: at,
            to: None,
            who: name(process),
            what: what.clone(),
        }];
        self.violate(Promise::Lost, what, lines, at, at);
    }

    /// A process has ended its calls, and so has its cache.
    pub(crate) fn counted(&mut self, process: Process, begun: u64, counted: u64, at: Moment) {
        if begun == counted {
            self.figures.counted += counted;
        } else {
            let what = format!(
                "worker {} has begun {begun} calls, and its cache has counted {counted}",
                process.0
            );
            self.violate(Promise::Miscounted, what, Vec::new(), at, at);
        }
    }

    /// Takes one record of a worker.
    pub(crate) fn record(&mut self, process: Process, record: Record) {
        match record {
            Record::Begun { op, keys, at } => {
                for key in keys.iter() {
                    self.keys[index(key)].begin_mutation(op, at);
                }
            }
            Record::Mutated(mutated) => self.mutated(process, mutated),
            Record::Read(read) => self.reads.push((process, read)),
            Record::Delivered { after, before } => self.delivered(process, after, before),
            Record::Stalled { from, to } => self.stalls.push((from, to)),
            Record::UpTo(at) => {
                if let Some(known) = self.living.get_mut(&process) {
                    known.up_to = at;
                }
                self.judge();
            }
            Record::Quiet { .. } | Record::Reviewed => {}
        }
    }

    fn mutated(&mut self, process: Process, mutated: Mutated) {
        self.count(process, &mutated);
        for key in mutated.keys.iter() {
            let key = &mut self.keys[index(key)];
            if let Some(required) = required_by(key, &mutated, mutated.end) {
                key.require_of(process, required);
            }
        }
        if mutated.delivered {
            self.in_force(&mutated, mutated.end);
        } else if let Some(known) = self.living.get_mut(&process) {
            known.owed.push(mutated);
        }
    }

    fn count(&mut self, process: Process, mutated: &Mutated) {
        if mutated.kind == Kind::Refresh {
            // The call was counted as a read.
            self.figures.refreshed += u64::from(mutated.ending == Ending::Returned);
            return;
        }
        self.figures.calls += 1;
        self.figures.invalidations += 1;
        self.figures.patterns += u64::from(mutated.kind.is_pattern());
        self.figures.transactions += u64::from(mutated.kind.is_transaction());
        match &mutated.ending {
            Ending::Returned | Ending::Failed | Ending::Off => {}
            Ending::Refused => self.figures.refused += 1,
            Ending::Dropped => self.figures.dropped += 1,
            Ending::Broken(how) => {
                let keys: Vec<_> = mutated.keys.iter().collect();
                let what = format!("{:?} of keys {keys:?}: {how}", mutated.kind);
                self.error(process, mutated.end, what);
            }
        }
    }

    /// A mutation that has ended is in force for all.
    fn in_force(&mut self, mutated: &Mutated, from: Moment) {
        for key in mutated.keys.iter() {
            let key = &mut self.keys[index(key)];
            if let Some(required) = required_by(key, mutated, from) {
                key.require_of_all(required);
            }
            if mutated.kind.has_fence() {
                let is_left = mutated.ending != Ending::Returned;
                key.end_fence(mutated.op, is_left, from + FENCE + EXPIRY_SLACK);
            }
            // A refresh that was dropped keeps nothing: its last step may still be on its way.
            let is_cut_off = mutated.kind == Kind::Refresh && mutated.ending == Ending::Dropped;
            let until = if is_cut_off {
                from + STORE_BUDGET
            } else {
                from
            };
            key.end_mutation(mutated.op, until);
        }
    }

    /// At some moment between the two, nothing was undelivered.
    fn delivered(&mut self, process: Process, after: Moment, before: Moment) {
        let Some(known) = self.living.get_mut(&process) else {
            return;
        };
        let (delivered, owed) = std::mem::take(&mut known.owed)
            .into_iter()
            .partition(|mutated| mutated.end < after);
        known.owed = owed;
        let delivered: Vec<_> = delivered;
        for mutated in delivered {
            self.in_force(&mutated, before);
        }
    }

    /// Judges what everyone has told all about.
    fn judge(&mut self) {
        let Some(told) = self.living.values().map(|known| known.up_to).min() else {
            return;
        };
        if told.since(self.judged_at) < LATE * 2 {
            return;
        }
        self.judged_at = told;
        self.judge_all(|at| at + LATE < told);
        for key in &mut self.keys {
            key.forget_before(told);
        }
        self.stalls
            .retain(|(_, to)| told.since(*to) < Duration::from_secs(30));
    }

    /// Judges what is left when everything was told.
    pub(crate) fn judge_rest(&mut self) {
        self.judge_all(|_| true);
    }

    fn judge_all(&mut self, is_told: impl Fn(Moment) -> bool) {
        let (ready, rest) = std::mem::take(&mut self.fenced)
            .into_iter()
            .partition(|commit: &Commit| is_told(commit.at));
        self.fenced = rest;
        let ready: Vec<_> = ready;
        for commit in ready {
            if self.is_known_fenced(&commit) {
                self.keys[index(commit.key)].require_of_all(in_force(&commit, commit.at));
            }
            if self.was_killed(commit.write.op) {
                self.figures.killed += 1;
            }
        }
        let (ready, rest) = std::mem::take(&mut self.reads)
            .into_iter()
            .partition(|(_, read): &(Process, Read)| is_told(read.end));
        self.reads = rest;
        let ready: Vec<_> = ready;
        for (process, read) in ready {
            self.read(process, &read);
        }
        let (ready, rest) = std::mem::take(&mut self.loads)
            .into_iter()
            .partition(|(_, loaded): &(u64, Loaded)| is_told(loaded.load.to + LAST_STEP));
        self.loads = rest;
        let ready: Vec<_> = ready;
        for (key, loaded) in ready {
            self.judge_load(key, &loaded);
        }
    }

    fn was_killed(&self, op: Op) -> bool {
        self.killed.contains_key(&op.process)
    }

    /// Whether the fence of this commit was up when it happened.
    fn is_known_fenced(&self, commit: &Commit) -> bool {
        let (raised, at) = (commit.write.start, commit.at);
        let was_emptied = self
            .faults
            .iter()
            .any(|fault| fault.kind.empties() && fault.overlaps(raised, at, AFTERMATH));
        if was_emptied {
            return false;
        }
        let is_young = at.since(raised) + EXPIRY_SLACK < FENCE;
        is_young || self.is_undisturbed(raised, at, FaultKind::hampers)
    }

    /// Whether no fault was near, of any kind.
    fn is_calm(&self, from: Moment, to: Moment) -> bool {
        self.is_undisturbed(from, to, |_| true)
    }

    fn is_undisturbed(&self, from: Moment, to: Moment, by: impl Fn(FaultKind) -> bool) -> bool {
        // The latest are the ones in question.
        let mut faults = self.faults.iter().rev().take(16);
        !faults.any(|fault| by(fault.kind) && fault.overlaps(from, to, AFTERMATH))
            && !self
                .stalls
                .iter()
                .any(|(began, ended)| *began <= to && *ended >= from)
    }

    fn read(&mut self, process: Process, read: &Read) {
        self.figures.calls += 1;
        self.figures.several += u64::from(read.several);
        if let Some(load) = read.load {
            self.figures.loads += 1;
            let loaded = Loaded {
                process,
                called: read.start,
                own: read.asked != Asked::Nothing,
                load,
            };
            self.keys[index(read.key)].add_load(loaded);
            self.loads.push((read.key, loaded));
        }
        match (read.asked, read.load) {
            (Asked::OnlyCached, Some(_)) => {
                let what = format!("a load of key {} within `only_cached`", read.key);
                self.error(process, read.end, what);
            }
            (Asked::Bypass, None) if matches!(read.found, Found::Version(_)) => {
                let what = format!("no load of key {} within `bypass`", read.key);
                self.error(process, read.end, what);
            }
            _ => {}
        }
        match &read.found {
            Found::Version(version) => {
                match read.asked {
                    Asked::Nothing if read.load.is_none() => {
                        self.figures.hits += 1;
                        self.figures.local += u64::from(read.local);
                    }
                    Asked::OnlyCached => self.figures.answered += 1,
                    Asked::Bypass => self.figures.bypassed += 1,
                    Asked::Nothing | Asked::Refresh | Asked::Transaction => {}
                }
                self.found(process, read, *version);
            }
            Found::Foreign { key, version } => {
                let what = format!(
                    "key {} was read as version {version} of key {key}",
                    read.key
                );
                self.wrong(process, read, what);
            }
            Found::Damaged => {
                self.wrong(process, read, format!("key {} was damaged", read.key));
            }
            Found::Failed => {}
            Found::Unanswered => self.figures.unanswered += 1,
            Found::Dropped => self.figures.dropped += 1,
            Found::Broken(how) => {
                let what = format!("a read of key {}: {how}", read.key);
                self.error(process, read.end, what);
            }
        }
    }

    fn found(&mut self, process: Process, read: &Read, version: u64) {
        let key = &self.keys[index(read.key)];
        let is_committed = version == 0
            || key
                .version(version)
                .is_some_and(|commit| commit.at <= read.end);
        if !is_committed {
            let what = format!("key {}: version {version} was not yet committed", read.key);
            return self.wrong(process, read, what);
        }
        if read.asked == Asked::Transaction && read.load.is_some() {
            // From a snapshot as old as the transaction.
            return;
        }
        let is_from_the_source = matches!(read.asked, Asked::Refresh | Asked::Bypass);
        let required = if is_from_the_source {
            let newest = key.newest_before(read.start);
            newest.map(|commit| in_force(&commit, commit.at))
        } else {
            let lag = if read.local {
                LOCAL_TTL + CLOCK_STEP
            } else {
                Duration::ZERO
            };
            key.required(process, read.start, lag)
        };
        let Some(required) = required.filter(|required| version < required.version) else {
            return;
        };
        let Some(commit) = key.version(required.version) else {
            return;
        };
        let promise = if read.local && !is_from_the_source {
            Promise::Late
        } else if read.review || self.was_killed(commit.write.op) {
            Promise::Lost
        } else {
            Promise::Stale
        };
        let what = format!(
            "key {}: version {version} was read after version {} was in force",
            read.key, required.version
        );
        let lines = self.lines_of(read, process, version, &commit, required);
        self.violate(promise, what, lines, commit.write.start, read.end);
    }

    fn wrong(&mut self, process: Process, read: &Read, what: String) {
        let lines = vec![read_line(process, read)];
        self.violate(Promise::Wrong, what, lines, read.start, read.end);
    }

    /// Promise 3: two loads of one key at a time, with nothing that could excuse it.
    fn judge_load(&mut self, key: u64, new: &Loaded) {
        if new.own {
            return;
        }
        let history = &self.keys[index(key)];
        if self.is_calm(new.called, new.load.to)
            && !history.is_mutated_within(new.called, new.load.to)
        {
            self.figures.calm += 1;
        }
        let began = |loaded: &Loaded| (loaded.load.from, loaded.process, loaded.called);
        let other = history.loads().find(|old| {
            !old.own
                && began(old) < began(new)
                && new.load.from < old.load.to
                && self.is_inexcusable(history, old, new)
        });
        if let Some(old) = other.copied() {
            let what = format!("key {key}: two loads at a time");
            let lines = vec![load_line(key, &old), load_line(key, new)];
            let from = old.called.min(new.called);
            let to = old.load.to.max(new.load.to);
            self.violate(Promise::Doubled, what, lines, from, to);
        }
    }

    fn is_inexcusable(&self, history: &KeyHistory, old: &Loaded, new: &Loaded) -> bool {
        let from = old.called.min(new.called);
        let to = old.load.to.max(new.load.to);
        // Who has waited for the store, or for another's load, as long as the bound says, loads for himself.
        let waited = |loaded: &Loaded| loaded.load.from.since(loaded.called) * 4 > STORE_BUDGET * 3;
        // After a failed load, each of those who waited for it loads for himself. Nobody waits for a bypass; and a refresh, for
        // which others may wait, counts as a mutation.
        let failed = history.loads().any(|loaded| {
            !loaded.own && loaded.load.version.is_none() && loaded.load.to + LATE >= from
        });
        !waited(old)
            && !waited(new)
            && !failed
            && self.is_calm(from, to)
            && !history.is_mutated_within(from, to)
    }

    fn violate(
        &mut self,
        promise: Promise,
        what: String,
        mut lines: Vec<Line>,
        from: Moment,
        to: Moment,
    ) {
        *match promise {
            Promise::Doubled => &mut self.figures.doubled,
            Promise::Stale => &mut self.figures.stale,
            Promise::Late => &mut self.figures.late,
            Promise::Wrong => &mut self.figures.wrong,
            Promise::Error => &mut self.figures.errors,
            Promise::Lost => &mut self.figures.lost,
            Promise::Miscounted => &mut self.figures.miscounted,
        } += 1;
        let is_known = self.violations.iter().any(|known| known.what == what);
        if is_known || self.violations.len() == SHOWN {
            return;
        }
        let around = self
            .faults
            .iter()
            .filter(|fault| fault.overlaps(from, to, AFTERMATH))
            .map(|fault| Line {
                from: fault.from,
                to: fault.to,
                who: "fault".to_owned(),
                what: fault.kind.to_string(),
            });
        lines.extend(around);
        lines.sort();
        self.violations.push(Violation {
            promise,
            what,
            lines,
        });
    }
}

/// What this mutation asks of the reads of a key that begin later than `from`: what it had committed when its process decided to
/// invalidate.
fn required_by(key: &KeyHistory, mutated: &Mutated, from: Moment) -> Option<Required> {
    let commit = match (mutated.kind, &mutated.ending) {
        (Kind::Refresh, Ending::Returned) => key.newest_before(mutated.decided),
        (Kind::Refresh, _) => None,
        _ => key.commit_of(mutated.op),
    };
    let commit = commit.filter(|commit| commit.at < mutated.decided)?;
    Some(Required {
        from,
        version: commit.version,
        by: mutated.kind,
    })
}

/// What a commit asks of the reads that begin later than `from`.
fn in_force(commit: &Commit, from: Moment) -> Required {
    Required {
        from,
        version: commit.version,
        by: commit.write.kind,
    }
}

fn index(key: u64) -> usize {
    usize::try_from(key % KEYS).unwrap_or(0)
}

#[cfg(test)]
mod tests;
