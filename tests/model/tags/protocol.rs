//! Tags as a model: who takes part, by which rules, and what must hold in every state.

use std::fmt::{self, Display, Write};

use cache_runtime::slot::{Reply, Slot, Step, apply};
use stateright::{Model, Path, Property};

use super::readers::{Caller, Reader, Turn, lease};
use super::world::{Tagged, World, first};
use super::writers::{Deed, Mutation, Writer, fence};
use crate::checking::{Question, Tale};
use crate::world::{Broken, Floor, Stored, token};

/// One step on the slot of a tag: [`apply`], or a mutant of it.
pub(crate) type Table = fn(Slot<()>, Step<()>) -> (Slot<()>, Reply<()>);

/// Who takes part.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) writers: Vec<Mutation>,
    pub(crate) readers: Vec<Caller>,
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} and a tag", self.writers, self.readers)
    }
}

/// What a process does wrong, in a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// A reader takes the generation after his load.
    LoadFirst,
    /// A tag that has no generation has any.
    MissingIsEqual,
    /// So has one under a fence.
    FencedIsEqual,
    /// A tag that has none is given that of the value that was found.
    MakeOld,
    /// What another has loaded is taken without a look at the tag.
    JoinUnseen,
    /// A write-through takes the generation after its commit.
    WriteFirst,
}

/// The model.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) question: Question,
    pub(crate) cast: Cast,
    /// Of the tag; the value's own is that of the other model.
    pub(crate) table: Table,
    pub(crate) habit: Option<Habit>,
}

/// One step of anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The value expires or is evicted.
    Expire,
    /// The tag is evicted.
    Evict,
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

    /// Carries out a step on the slot of the tag.
    pub(crate) fn apply_to_tag(&self, world: &mut World, step: Step<()>) -> Reply<()> {
        let slot = std::mem::take(&mut world.tag.0);
        let (slot, reply) = (self.table)(slot, step);
        world.tag.0 = slot;
        reply
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
            Property::sometimes("a load is stored", |_, world: &World| {
                let stored = |number| matches!(world.value.0, Slot::Value(token, _) if token == lease(number));
                (0..world.readers.len()).any(stored)
            }),
            Property::sometimes(
                "a generation is made",
                |_, world: &World| matches!(world.tag.0, Slot::Value(generation, ()) if generation != first()),
            ),
            Property::sometimes("a value is void", |_, world: &World| {
                let is_void =
                    |reader: &Reader| matches!(reader, Reader::Missed { over: Some(_), .. });
                world.readers.iter().any(is_void)
            }),
        ];
        if writers.contains(&Mutation::WriteThrough) {
            examples.push(Property::sometimes("a write is stored", |_, world: &World| {
                let stored = |number| matches!(world.value.0, Slot::Value(token, _) if token == fence(number));
                (0..world.writers.len()).any(stored)
            }));
        }
        if (1..readers.len()).any(|n| readers[..n].contains(&readers[n])) {
            examples.push(Property::sometimes(
                "a load is handed over",
                |_, world: &World| {
                    let is_handed = |reader: &Reader| matches!(reader, Reader::Handed { .. });
                    world.readers.iter().any(is_handed)
                },
            ));
        }
        examples
    }
}

/// Notes which fences stand no more: nothing is promised to mutations that have lost theirs before their commit.
fn lose(writers: &mut [Writer], fences: &[cache_runtime::slot::Token]) {
    for (number, writer) in writers.iter_mut().enumerate() {
        if let Writer::Raised { guarded, .. } = writer
            && fences.contains(&fence(number))
        {
            *guarded = false;
        }
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let value = Tagged {
            version: 0,
            generation: first(),
        };
        let value = Slot::Value(token(b'v', 0), value);
        let tag = Slot::Value(first(), ());
        [
            (Slot::Empty, Slot::Empty),
            (Slot::Empty, tag.clone()),
            (value.clone(), Slot::Empty),
            (value, tag),
        ]
        .into_iter()
        .map(|(value, tag)| World {
            source: 0,
            value: Stored(value),
            tag: Stored(tag),
            floor: Floor::default(),
            writers: vec![Writer::Idle; self.cast.writers.len()],
            readers: vec![Reader::Idle; self.cast.readers.len()],
        })
        .collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if self.question == Question::Promises && !Self::is_read(world) {
            return;
        }
        if world.value.0 != Slot::Empty {
            actions.push(Action::Expire);
        }
        if world.tag.0 != Slot::Empty {
            actions.push(Action::Evict);
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
            Action::Expire => {
                if let Slot::Fence(fence) = &next.value.0 {
                    lose(&mut next.writers, fence.tokens());
                }
                next.apply(Step::Expire);
            }
            Action::Evict => {
                if let Slot::Fence(fence) = &next.tag.0 {
                    lose(&mut next.writers, fence.tokens());
                }
                self.apply_to_tag(&mut next, Step::Expire);
            }
            Action::Write(number, deed) => self.write(&mut next, number, deed),
            Action::Read(number, turn) => self.read(&mut next, number, turn),
        }
        self.forget(&mut next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        match self.question {
            Question::Promises => vec![
                Property::always("promise 1: a completed mutation is seen", |_, world| {
                    !has_read_wrong(world, Broken::Completed)
                }),
                Property::always("promise 2: a fenced commit is seen", |_, world| {
                    !has_read_wrong(world, Broken::Fenced)
                }),
            ],
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

    /// With what the slots hold after each action.
    fn tell(&self, path: Path<World, Action>) -> String {
        let mut told = String::new();
        let path = path.into_vec();
        for (number, (world, _)) in path.iter().enumerate() {
            let what = match number.checked_sub(1).and_then(|before| path[before].1) {
                None => "it begins".to_owned(),
                Some(Action::Expire) => "the value expires or is evicted".to_owned(),
                Some(Action::Evict) => "the tag is evicted".to_owned(),
                Some(Action::Write(writer, deed)) => format!(
                    "writer {writer} ({:?}): {deed:?} -> {:?}",
                    self.cast.writers[writer], world.writers[writer]
                ),
                Some(Action::Read(reader, turn)) => {
                    format!("reader {reader}: {turn:?} -> {:?}", world.readers[reader])
                }
            };
            writeln!(
                told,
                "  {number}. {what}\n       source {}, slot: {}, tag: {}",
                world.source,
                world.value.describe(),
                world.tag.describe()
            )
            .expect("a string takes it");
        }
        told
    }
}

fn has_read_wrong(world: &World, broken: Broken) -> bool {
    world.readers.contains(&Reader::Wrong(broken))
}
