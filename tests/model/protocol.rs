//! The protocol as a model: who takes part, by which rules, and what must hold in every state.

use std::fmt::{self, Display, Write};

use cache_runtime::slot::{Fence, Reply, Slot, Step, Token, apply};
use stateright::{Model, Path, Property};

use crate::checking::{Question, Tale};
use crate::readers::{Caller, Reader, Turn, lease, next};
use crate::world::{Broken, Floor, Stored, Version, World, first, foreign};
use crate::writers::{Deed, Mutation, Writer, fence};

/// One step of the table: [`apply`], or a mutant of it.
pub(crate) type Table = fn(Slot<Version>, Step<Version>) -> (Slot<Version>, Reply<Version>);

/// Who takes part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cast {
    pub(crate) writers: Vec<Mutation>,
    pub(crate) readers: Vec<Caller>,
    /// Starts with a value in the slot that no reader can use.
    pub(crate) foreign: bool,
    /// Loads are renewed, and can be cancelled or fail.
    pub(crate) cancels: bool,
    /// Nothing expires and nobody runs out of patience, so that promise 3 can be asked for: one load.
    pub(crate) calm: bool,
    /// A smaller bound than [`Fence::MAX_TOKENS`] of the mutations that a fence holds.
    pub(crate) bound: Option<usize>,
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.writers, self.readers)?;
        for (holds, what) in [
            (self.foreign, "foreign value"),
            (self.cancels, "cancelled loads"),
            (self.calm, "calm"),
        ] {
            if holds {
                write!(f, ", {what}")?;
            }
        }
        self.bound
            .map_or(Ok(()), |bound| write!(f, ", fences of {bound}"))
    }
}

/// What a process does wrong, in a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// A reader joins a load of the same key, whatever its lease.
    JoinByKey,
    /// A reader loads before he takes the lease.
    LoadFirst,
    /// All loads go by one lease.
    OneLease,
    /// A refresh names the token that stands in the slot after the load, not the one read before it.
    LateToken,
    /// An asker whose refresh is refused leaves it at that.
    RefusedStays,
    /// An asker who finds a fence leaves it at that.
    FencedStays,
    /// An asker who finds nothing does not invalidate.
    NothingStays,
    /// An asker waits for the load that he finds.
    WaitForOlder,
    /// A mutation invalidates before it commits.
    InvalidateFirst,
    /// A mutation raises its fence after it committed.
    RaiseLate,
    /// A mutation does not renew its fence, which therefore expires while it runs.
    NeverHold,
    /// A mutation that is dropped lowers its fence, though the source may still commit it.
    LowerInDoubt,
    /// Claims that a plain mutation is seen once it has committed.
    ClaimPlain,
    /// Claims that a fenced mutation is seen although its fence was lost before it committed.
    ClaimLost,
    /// The same of a fence that has forgotten it at its bound.
    ClaimForgotten,
}

/// The model.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) question: Question,
    pub(crate) cast: Cast,
    pub(crate) table: Table,
    pub(crate) habit: Option<Habit>,
}

/// One step of anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The slot expires or is evicted.
    Expire,
    Write(usize, Deed),
    Read(usize, Turn),
}

impl Protocol {
    /// The protocol as it is.
    pub(crate) fn faithful(cast: Cast) -> Self {
        Self {
            question: Question::Promises,
            cast,
            table: apply,
            habit: None,
        }
    }

    pub(crate) fn has(&self, habit: Habit) -> bool {
        self.habit == Some(habit)
    }

    /// Carries out a step on the slot.
    pub(crate) fn apply(&self, world: &mut World, step: Step<Version>) -> Reply<Version> {
        let slot = std::mem::replace(&mut world.slot.0, Slot::Empty);
        let (slot, reply) = (self.table)(slot, step);
        world.slot.0 = self.within_bound(&mut world.writers, slot);
        reply
    }

    /// At the bound the oldest is forgotten, which is as if his fence had been lost.
    fn within_bound(&self, writers: &mut [Writer], slot: Slot<Version>) -> Slot<Version> {
        let (Some(bound), Slot::Fence(marks)) = (self.cast.bound, &slot) else {
            return slot;
        };
        let beyond = marks.tokens().len().saturating_sub(bound);
        let (forgotten, kept) = marks.tokens().split_at(beyond);
        for (number, writer) in writers.iter_mut().enumerate() {
            if forgotten.contains(&fence(number)) && !self.has(Habit::ClaimForgotten) {
                writer.lose();
            }
        }
        Slot::Fence(Fence::from_parts(kept.to_vec(), marks.is_tainted()))
    }

    /// The slot becomes empty. A fence does not run out while its mutation lives and holds it; so if one goes, it was
    /// lost (by an eviction, a restart, a failover, or because its process came too late), and nothing is promised
    /// to the mutations in it until they hold it again. To one that does not hold it, it is no excuse.
    fn expire(&self, world: &mut World) {
        if let Slot::Fence(marks) = &world.slot.0
            && !self.has(Habit::NeverHold)
            && !self.has(Habit::ClaimLost)
        {
            for (number, writer) in world.writers.iter_mut().enumerate() {
                if marks.tokens().contains(&fence(number)) {
                    writer.lose();
                }
            }
        }
        self.apply(world, Step::Expire);
    }

    fn promises(&self) -> Vec<Property<Self>> {
        let mut promises = vec![
            Property::always("promise 1: a completed mutation is seen", |_, world| {
                !has_read_wrong(world, Broken::Completed)
            }),
            Property::always("promise 2: a fenced commit is seen", |_, world| {
                !has_read_wrong(world, Broken::Fenced)
            }),
        ];
        if self.cast.calm {
            promises.push(Property::always(
                "promise 3: one load",
                |_, world: &World| world.loads <= 1,
            ));
        }
        promises
    }

    fn examples(&self) -> Vec<Property<Self>> {
        let Cast {
            writers, readers, ..
        } = &self.cast;
        let mut examples = vec![
            Property::sometimes("everyone is through", |_, world: &World| {
                world.writers.iter().all(|writer| *writer == Writer::Done)
                    && world.readers.iter().all(|reader| *reader == Reader::Done)
            }),
            Property::sometimes("a load is stored", |_, world| {
                stores(world, lease, world.readers.len())
            }),
        ];
        if readers.contains(&Caller::Refresher) || readers.contains(&Caller::Asker) {
            examples.push(Property::sometimes("a refresh is stored", |_, world| {
                stores(world, next, world.readers.len())
            }));
        }
        if writers.iter().any(|writer| writer.puts()) {
            examples.push(Property::sometimes("a write is stored", |_, world| {
                stores(world, fence, world.writers.len())
            }));
        }
        let is_near_another =
            |n: usize| readers[..n].iter().any(|other| readers[n].is_near(*other));
        if (0..readers.len()).any(is_near_another) {
            examples.push(Property::sometimes(
                "a load is joined",
                |protocol, world| can(protocol, world, Turn::Join),
            ));
            if self.cast.cancels {
                examples.push(Property::sometimes(
                    "a lease is taken over",
                    |protocol, world| can(protocol, world, Turn::TakeOver),
                ));
            }
        }
        examples
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let token = if self.cast.foreign {
            foreign()
        } else {
            first()
        };
        [Slot::Empty, Slot::Value(token, 0)]
            .into_iter()
            .map(|slot| World {
                source: 0,
                slot: Stored(slot),
                floor: Floor::default(),
                writers: vec![Writer::Idle; self.cast.writers.len()],
                readers: vec![Reader::Idle; self.cast.readers.len()],
                asked: vec![0; self.cast.readers.len()],
                loads: 0,
            })
            .collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if !self.cast.calm && world.slot.0 != Slot::Empty {
            actions.push(Action::Expire);
        }
        for number in 0..world.writers.len() {
            let deeds = self.deeds(world, number).into_iter();
            actions.extend(deeds.map(|deed| Action::Write(number, deed)));
        }
        for number in 0..world.readers.len() {
            let turns = self.turns(world, number).into_iter();
            actions.extend(turns.map(|turn| Action::Read(number, turn)));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Expire => self.expire(&mut next),
            Action::Write(number, deed) => self.write(&mut next, number, deed),
            Action::Read(number, turn) => self.read(&mut next, number, turn),
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        match self.question {
            Question::Promises => self.promises(),
            Question::Examples => self.examples(),
        }
    }
}

impl Tale for Protocol {
    fn cast(&self) -> &impl Display {
        &self.cast
    }

    fn asked(&self, question: Question) -> Self {
        Self {
            question,
            ..self.clone()
        }
    }

    /// With what the slot holds after each action.
    fn tell(&self, path: Path<World, Action>) -> String {
        let mut told = String::new();
        let path = path.into_vec();
        for (number, (world, _)) in path.iter().enumerate() {
            let what = match number.checked_sub(1).and_then(|before| path[before].1) {
                None => "it begins".to_owned(),
                Some(Action::Expire) => "expiry or eviction".to_owned(),
                Some(Action::Write(writer, deed)) => format!(
                    "writer {writer} ({:?}): {deed:?} -> {:?}",
                    self.cast.writers[writer], world.writers[writer]
                ),
                Some(Action::Read(reader, turn)) => {
                    format!("reader {reader}: {turn:?} -> {:?}", world.readers[reader])
                }
            };
            let (source, slot) = (world.source, world.slot.describe());
            writeln!(
                told,
                "  {number}. {what}\n       source {source}, slot: {slot}"
            )
            .expect("a string takes it");
        }
        told
    }
}

fn has_read_wrong(world: &World, broken: Broken) -> bool {
    world.readers.contains(&Reader::Wrong(broken))
}

fn can(protocol: &Protocol, world: &World, turn: Turn) -> bool {
    (0..world.readers.len()).any(|number| protocol.turns(world, number).contains(&turn))
}

fn stores(world: &World, token: fn(usize) -> Token, count: usize) -> bool {
    match world.slot.0 {
        Slot::Value(stored, _) => (0..count).any(|number| stored == token(number)),
        _ => false,
    }
}
