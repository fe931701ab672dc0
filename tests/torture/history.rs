//! What is known of one key: its commits, from when each is in force for whom, its mutations and its loads.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::clock::Moment;
use crate::database::Commit;
use crate::record::{Kind, Load, Op, Process};

/// The past of one key.
#[derive(Debug, Default)]
pub(crate) struct KeyHistory {
    /// The commit of version `n` stands at `n - 1`.
    commits: Vec<Commit>,
    by_op: HashMap<Op, usize>,
    for_all: Timeline,
    for_one: HashMap<Process, Timeline>,
    mutations: VecDeque<Mutation>,
    /// Until when a fence may stand that nobody lowers.
    fenced_until: Moment,
    loads: VecDeque<Loaded>,
}

/// What no read that begins later may fall below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Required {
    pub(crate) from: Moment,
    pub(crate) version: u64,
    /// What has brought it in force.
    pub(crate) by: Kind,
}

/// Which version a read must at least return, by the moment it begins.
#[derive(Debug, Default)]
struct Timeline(Vec<Required>);

impl Timeline {
    /// From then on, no version older than this may be read.
    fn require(&mut self, new: Required) {
        let place = self.0.partition_point(|known| known.from <= new.from);
        if place > 0 && self.0[place - 1].version >= new.version {
            return;
        }
        self.0.insert(place, new);
        // Each entry is newer than the one before: those that this one outdoes say nothing any more.
        let outdone = self.0[place + 1..].partition_point(|later| later.version <= new.version);
        self.0.drain(place + 1..place + 1 + outdone);
    }

    fn required_at(&self, start: Moment) -> Option<Required> {
        let place = self.0.partition_point(|known| known.from < start);
        place.checked_sub(1).map(|last| self.0[last])
    }
}

/// A mutation, for as long as it may make two loads run at the same time.
#[derive(Clone, Copy, Debug)]
struct Mutation {
    op: Op,
    from: Moment,
    /// `None` while it runs, or is undelivered.
    to: Option<Moment>,
}

/// A load, and the call that ran it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    pub(crate) process: Process,
    /// When the function was called.
    pub(crate) called: Moment,
    /// Whether it asked for a load of its own.
    pub(crate) own: bool,
    pub(crate) load: Load,
}

/// How long loads and ended mutations are kept: longer than any call takes.
const KEPT: Duration = Duration::from_secs(30);

impl KeyHistory {
    pub(crate) fn commit(&mut self, commit: Commit) {
        self.by_op.insert(commit.write.op, self.commits.len());
        self.commits.push(commit);
    }

    pub(crate) fn commit_of(&self, op: Op) -> Option<Commit> {
        self.by_op.get(&op).map(|at| self.commits[*at])
    }

    pub(crate) fn version(&self, version: u64) -> Option<Commit> {
        let at = usize::try_from(version.checked_sub(1)?).ok()?;
        self.commits.get(at).copied()
    }

    /// The newest commit before this moment.
    pub(crate) fn newest_before(&self, at: Moment) -> Option<Commit> {
        let place = self.commits.partition_point(|commit| commit.at < at);
        place.checked_sub(1).map(|last| self.commits[last])
    }

    pub(crate) fn require_of_all(&mut self, required: Required) {
        self.for_all.require(required);
    }

    pub(crate) fn require_of(&mut self, process: Process, required: Required) {
        self.for_one.entry(process).or_default().require(required);
    }

    /// The oldest version that a read of this process may return if it began then. What others have made known, it may still
    /// miss if it became so less than `lag` before.
    pub(crate) fn required(
        &self,
        process: Process,
        start: Moment,
        lag: Duration,
    ) -> Option<Required> {
        let own = self.for_one.get(&process);
        let own = own.and_then(|own| own.required_at(start));
        let all = self.for_all.required_at(start.before(lag));
        own.into_iter()
            .chain(all)
            .max_by_key(|required| required.version)
    }

    pub(crate) fn begin_mutation(&mut self, op: Op, from: Moment) {
        self.mutations.push_back(Mutation { op, from, to: None });
    }

    pub(crate) fn end_mutation(&mut self, op: Op, to: Moment) {
        let found = self.mutations.iter_mut().rev().find(|known| known.op == op);
        if let Some(mutation) = found {
            mutation.to = Some(to);
        }
    }

    /// A mutation with a fence has ended. If it left the fence standing, or joined one that was left, the fence lives on for
    /// as long as a fence does: a raise lets the whole of it live on.
    pub(crate) fn end_fence(&mut self, op: Op, is_left: bool, until: Moment) {
        let mut begun = self.mutations.iter().filter(|known| known.op == op);
        let joined = begun.any(|known| known.from <= self.fenced_until);
        if is_left || joined {
            self.fenced_until = self.fenced_until.max(until);
        }
    }

    /// What a dead process was about ends then at the latest.
    pub(crate) fn end_mutations_of(&mut self, process: Process, to: Moment) {
        for mutation in &mut self.mutations {
            if mutation.op.process == process && mutation.to.is_none() {
                mutation.to = Some(to);
                self.fenced_until = self.fenced_until.max(to);
            }
        }
    }

    /// Whether a mutation could be under way, for the store or for a process, at some time between the two.
    pub(crate) fn is_mutated_within(&self, from: Moment, to: Moment) -> bool {
        self.fenced_until >= from
            || self.mutations.iter().any(|mutation| {
                mutation.from <= to && mutation.to.is_none_or(|ended| ended >= from)
            })
    }

    pub(crate) fn add_load(&mut self, loaded: Loaded) {
        self.loads.push_back(loaded);
    }

    /// The loads that are still known, in the order in which their calls ended.
    pub(crate) fn loads(&self) -> impl DoubleEndedIterator<Item = &Loaded> {
        self.loads.iter()
    }

    /// Forgets what no later record can concern.
    pub(crate) fn forget_before(&mut self, now: Moment) {
        let is_old = |at: Moment| now.since(at) > KEPT;
        while self
            .loads
            .front()
            .is_some_and(|loaded| is_old(loaded.load.to))
        {
            self.loads.pop_front();
        }
        self.mutations
            .retain(|mutation| mutation.to.is_none_or(|to| !is_old(to)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_asks_for_the_newest_that_was_in_force_before() {
        let mut timeline = Timeline::default();
        let at = Moment::at_ms;
        let mut require = |from, version| {
            timeline.require(Required {
                from: at(from),
                version,
                by: Kind::Plain,
            });
        };
        // Not in the order of time: a record of another process comes late.
        require(30, 3);
        require(10, 1);
        require(20, 5);
        let required = |timeline: &Timeline, when| {
            let required = timeline.required_at(at(when));
            required.map_or(0, |required| required.version)
        };
        assert_eq!(required(&timeline, 10), 0, "not before it is in force");
        assert_eq!(required(&timeline, 11), 1);
        assert_eq!(required(&timeline, 25), 5);
        assert_eq!(required(&timeline, 40), 5, "3 says nothing beside 5");
        timeline.require(Required {
            from: at(5),
            version: 2,
            by: Kind::Plain,
        });
        assert_eq!(required(&timeline, 11), 2);
    }
}
