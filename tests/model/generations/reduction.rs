//! What makes no difference to any promise, and is forgotten so that there are fewer states.

use super::callers::{Errand, Role, Stage};
use super::protocol::{Habit, Protocol};
use super::world::{Answer, Floor, Generation, PAST, Slot, World};

impl Protocol {
    /// Callers of one role are interchangeable in one process, and so are processes of one caller: they begin in turn.
    pub(crate) fn waits_for_twin(&self, world: &World, number: usize) -> bool {
        let is_alone = |number| self.neighbours(self.process(number)) == 1;
        (0..number).any(|other| {
            world.callers[other] == Stage::Idle
                && self.role(other) == self.role(number)
                && (self.process(other) == self.process(number)
                    || is_alone(other) && is_alone(number))
        })
    }

    /// Whether there is still a reader that may return what it finds in a slot.
    pub(crate) fn is_read(&self, world: &World) -> bool {
        let mut callers = world.callers.iter().enumerate();
        callers.any(|(number, stage)| {
            self.role(number) == Role::Reader
                && !matches!(
                    stage,
                    Stage::Leading(_) | Stage::Loaded(..) | Stage::Done | Stage::Wrong(_)
                )
        })
    }

    /// Forgets what makes no difference any more, so that there are fewer states.
    pub(crate) fn forget(&self, world: &mut World) {
        // Readers whose fill will be refused.
        for number in 0..world.callers.len() {
            if let Stage::Leading(generation) | Stage::Loaded(generation, _) = world.callers[number]
                && *world.slot(generation) != Slot::Lease(number)
            {
                world.callers[number] = Stage::Done;
            }
        }
        // What is promised to reads that begin.
        let begins = |number: usize| {
            self.role(number) == Role::Reader && world.callers[number] == Stage::Idle
        };
        if !(0..world.callers.len()).any(begins) {
            world.floor = Floor::default();
        }
        // What is known where nobody goes by it.
        for process in 0..world.known.len() {
            let goes_by_it = |role: Role| {
                let mut callers = world.callers.iter().enumerate();
                callers.any(|(number, stage)| {
                    self.process(number) == process
                        && self.role(number) == role
                        && match stage {
                            Stage::Idle
                            | Stage::Ready(_)
                            | Stage::Missing(_)
                            | Stage::Opening(..) => true,
                            Stage::Under(_, errand) => {
                                errand.question.is_some() || self.has(Habit::WriteUnasked)
                            }
                            _ => false,
                        }
                })
            };
            let (reads, writes) = (goes_by_it(Role::Reader), goes_by_it(Role::Writer));
            if !reads && !writes {
                world.known[process] = None;
            }
            if let Some(known) = &mut world.known[process] {
                if !reads {
                    known.confirmed = PAST;
                }
                if !writes {
                    known.settles = None;
                }
            }
            for number in 0..world.callers.len() {
                if self.process(number) == process
                    && !reads
                    && let Stage::Under(
                        _,
                        Errand {
                            question: Some(question),
                            ..
                        },
                    )
                    | Stage::Opening(_, question) = &mut world.callers[number]
                {
                    question.sent = PAST;
                }
            }
        }
        // The slots of generations that nobody can come upon.
        for generation in 0..world.slots.len() {
            let is = |other: Generation| usize::from(other) == generation;
            let says =
                |answer: Answer| matches!(answer, Answer::Says(record) if is(record.generation));
            let is_met = says(world.answer())
                || self.has(Habit::MakeOlder) && generation + 2 == world.slots.len()
                || self.has(Habit::MakeLatest) && generation + 1 == world.slots.len()
                || world
                    .known
                    .iter()
                    .flatten()
                    .any(|known| is(known.generation))
                || world.callers.iter().any(|stage| match stage {
                    Stage::Under(_, errand) => {
                        is(errand.generation)
                            || errand.question.is_some_and(|asked| says(asked.answer))
                    }
                    Stage::Opening(_, question) => says(question.answer),
                    _ => false,
                });
            if !is_met {
                world.slots[generation] = Slot::Empty;
            }
        }
    }
}
