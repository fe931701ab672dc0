//! The protocol as a model: who takes part, by which rules, and what must hold in every state.

use std::fmt::{self, Display, Write};

use stateright::{Model, Path, Property};

use crate::checking::{Question, Tale};

use super::callers::{Aim, Deed, Reply, Role, Stage};
use super::world::{Broken, Floor, Known, Record, Slot, World};

/// Who takes part.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    /// The callers of each process.
    pub(crate) processes: Vec<Vec<Role>>,
    pub(crate) loss: Loss,
    pub(crate) start: Start,
}

/// What may be lost, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Loss {
    Nothing,
    /// The record.
    Record,
    /// The record, alone or along with the slots.
    Any,
}

/// How it begins. The processes that read alone always know the generation in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// All others know it too.
    Agreed,
    /// Those that write know none yet.
    Strangers,
    /// Those that write know one that is over.
    Outdated,
    /// Movers have moved to it and have waited. Those that write know none yet.
    Moving,
}

impl fmt::Display for Cast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.processes)?;
        if self.start != Start::Agreed {
            write!(f, ", {:?}", self.start)?;
        }
        match self.loss {
            Loss::Nothing => Ok(()),
            Loss::Record => write!(f, ", the record is lost"),
            Loss::Any => write!(f, ", anything is lost"),
        }
    }
}

/// What is done wrong, in a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// A mutation does not ask for the record.
    WriteUnasked,
    /// A mutation asks before it commits.
    AskEarly,
    /// A mutation does not do its step again where the epoch has moved.
    WriteOnce,
    /// A mutation does not wait until the generation is settled.
    WriteHasty,
    /// A mutation that finds no record takes that for the generation it knows.
    GoneHolds,
    /// A mutation waits by what its process knows, though that be of another generation than its step's.
    WaitForAnother,
    /// A generation is taken for settled as soon as trust may be over, not later than that.
    SettleShort,
    /// Trust is counted from the answer, not from the question.
    TrustFromAnswer,
    /// A reader never asks again.
    TrustForever,
    /// A reader keeps what it has read where the epoch has moved.
    ReadOnce,
    /// A record that was lost is made anew with the generation before it.
    MakeOlder,
    /// A record that was lost is made anew as it was.
    MakeLatest,
    /// A record is made settled.
    MakeSettled,
    /// Whatever generation is on record is marked as settled.
    MarkAny,
    /// A move of the epoch returns at once.
    MoveHasty,
}

/// The model.
#[derive(Clone, Debug)]
pub(crate) struct Protocol {
    pub(crate) question: Question,
    pub(crate) cast: Cast,
    pub(crate) habit: Option<Habit>,
    /// The process and the role of each caller.
    callers: Vec<(usize, Role)>,
}

/// One step of anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Time passes.
    Tick,
    /// The record is evicted.
    Evict,
    /// Everything is lost.
    Flush,
    Act(usize, Deed),
}

impl Protocol {
    pub(crate) fn new(cast: Cast, habit: Option<Habit>) -> Self {
        let processes = cast.processes.iter().enumerate();
        let callers =
            processes.flat_map(|(process, roles)| roles.iter().map(move |role| (process, *role)));
        Self {
            question: Question::Promises,
            callers: callers.collect(),
            cast,
            habit,
        }
    }

    pub(crate) fn has(&self, habit: Habit) -> bool {
        self.habit == Some(habit)
    }

    pub(crate) fn process(&self, caller: usize) -> usize {
        self.callers[caller].0
    }

    pub(crate) fn role(&self, caller: usize) -> Role {
        self.callers[caller].1
    }

    /// How many callers a process has.
    pub(crate) fn neighbours(&self, process: usize) -> usize {
        self.cast.processes[process].len()
    }

    /// What a process of these callers knows at the start.
    fn knows(&self, roles: &[Role]) -> Option<Known> {
        let newest = Known::first();
        match self.cast.start {
            _ if !roles.contains(&Role::Writer) => Some(newest),
            Start::Agreed => Some(newest),
            Start::Strangers | Start::Moving => None,
            Start::Outdated => Some(Known {
                generation: 0,
                ..newest
            }),
        }
    }

    /// Where a caller is at the start.
    fn starts(&self, role: Role) -> Stage {
        match (role, self.cast.start) {
            (Role::Mover, Start::Moving) => Stage::Settling {
                aim: Aim::Move(0),
                generation: 1,
                left: 0,
            },
            _ => Stage::Idle,
        }
    }

    fn examples(&self) -> Vec<Property<Self>> {
        let count = |role| {
            self.callers
                .iter()
                .filter(|(_, other)| *other == role)
                .count()
        };
        let mut examples = vec![
            Property::sometimes("everyone is through", |_, world: &World| {
                world.callers.iter().all(|caller| *caller == Stage::Done)
            }),
            Property::sometimes("a value is hit on trust", |_, world| {
                any(world, |stage| match stage {
                    Stage::Under(Aim::Read(_), errand) => {
                        let slot = world.slots[usize::from(errand.generation)];
                        errand.question.is_none() && matches!(slot, Slot::Value(_))
                    }
                    _ => false,
                })
            }),
            Property::sometimes("a load is stored", |_, world: &World| {
                let versions = 0..=world.source;
                let is_new = |version| version > 0 && world.slots.contains(&Slot::Value(version));
                versions.into_iter().any(is_new)
            }),
        ];
        if count(Role::Mover) > 0 || self.cast.loss != Loss::Nothing {
            examples.push(Property::sometimes(
                "a reader finds the epoch moved",
                |_, world| any(world, |stage| matches!(stage, Stage::Ready(Aim::Read(_)))),
            ));
            if count(Role::Reader) > 1 {
                examples.push(Property::sometimes(
                    "a value is hit in a later generation",
                    |_, world| {
                        any(world, |stage| match stage {
                            Stage::Under(Aim::Read(_), errand) => {
                                errand.generation > 1 && matches!(errand.reply, Some(Reply::Hit(_)))
                            }
                            _ => false,
                        })
                    },
                ));
            }
            if count(Role::Writer) > 0 {
                examples.push(Property::sometimes("a mutation waits", |_, world| {
                    any(world, |stage| {
                        matches!(
                            stage,
                            Stage::Settling {
                                aim: Aim::Invalidate(_),
                                ..
                            }
                        )
                    })
                }));
            }
        }
        if count(Role::Mover) > 0 {
            examples.push(Property::sometimes("a generation is settled", |_, world: &World| {
                matches!(world.record, Some(record) if record.generation > 1 && record.settled)
            }));
        }
        examples
    }
}

impl Model for Protocol {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        // Of the first generation, which is over, nothing is left.
        let processes = self.cast.processes.iter();
        let known: Vec<_> = processes.map(|roles| self.knows(roles)).collect();
        let callers: Vec<_> = self
            .callers
            .iter()
            .map(|(_, role)| self.starts(*role))
            .collect();
        [Slot::Empty, Slot::Value(0)]
            .into_iter()
            .map(|slot| World {
                source: 0,
                record: Some(Record {
                    generation: 1,
                    settled: self.cast.start != Start::Moving,
                }),
                slots: vec![Slot::Empty, slot],
                known: known.clone(),
                callers: callers.clone(),
                floor: Floor::default(),
                loss: self.cast.loss,
            })
            .collect()
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if self.question == Question::Promises && !self.is_read(world) {
            return;
        }
        actions.push(Action::Tick);
        match world.loss {
            Loss::Record if world.record.is_some() => actions.push(Action::Evict),
            Loss::Any if world.record.is_some() => actions.extend([Action::Evict, Action::Flush]),
            _ => {}
        }
        for number in 0..world.callers.len() {
            let deeds = self.deeds(world, number).into_iter();
            actions.extend(deeds.map(|deed| Action::Act(number, deed)));
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        match action {
            Action::Tick => next.tick(),
            Action::Evict | Action::Flush => {
                next.record = None;
                next.loss = Loss::Nothing;
                if action == Action::Flush {
                    next.slots.fill(Slot::Empty);
                }
            }
            Action::Act(number, deed) => self.act(&mut next, number, deed),
        }
        self.forget(&mut next);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        match self.question {
            Question::Promises => vec![
                Property::always("promise 1: a completed mutation is seen", |_, world| {
                    !any(world, |stage| stage == Stage::Wrong(Broken::Invalidated))
                }),
                Property::always("a move of the epoch leaves nothing behind", |_, world| {
                    !any(world, |stage| stage == Stage::Wrong(Broken::Moved))
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

    /// With what the store holds after each action.
    fn tell(&self, path: Path<World, Action>) -> String {
        let mut told = String::new();
        let path = path.into_vec();
        for (number, (world, _)) in path.iter().enumerate() {
            let what = match number.checked_sub(1).and_then(|before| path[before].1) {
                None => "it begins".to_owned(),
                Some(Action::Act(caller, deed)) => format!(
                    "caller {caller} ({:?} of process {}): {deed:?} -> {:?}",
                    self.role(caller),
                    self.process(caller),
                    world.callers[caller]
                ),
                Some(action) => format!("{action:?}"),
            };
            writeln!(
                told,
                "  {number}. {what}\n       source {}, {:?}, slots {:?}, known {:?}",
                world.source, world.record, world.slots, world.known
            )
            .expect("a string takes it");
        }
        told
    }
}

fn any(world: &World, is: impl Fn(Stage) -> bool) -> bool {
    world.callers.iter().copied().any(is)
}
