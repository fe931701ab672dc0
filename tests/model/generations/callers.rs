//! The callers: reads, mutations and moves of the epoch, each at any of its points overtaken by any other.
//!
//! Some of what happens is one step here:
//!
//! - A look at the slot and the taking of its lease: both go by what the process trusts.
//! - The beginning of a read and the first plan for it: whoever dawdles in between is promised less and asks sooner.
//! - The sending of a question, and what the store carries out first of it and the step beside it. Sent earlier, it is
//!   trusted less long, and asks under what was known earlier: that is done again where it was too early.
//! - The answer to a step without a question, and that step: nothing is learnt from it.

use super::protocol::{Habit, Protocol};
use super::world::{
    Answer, Broken, Floor, Generation, Known, Question, Record, SETTLE, Slot, TRUST, Ticks,
    Version, World,
};

/// What a caller is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads once.
    Reader,
    /// Commits, and invalidates.
    Writer,
    /// Commits behind the cache's back, and moves the epoch.
    Mover,
}

/// What a caller has in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Aim {
    /// A read that began when this was the floor.
    Read(Floor),
    /// The invalidation of this commit; of none yet, in a mutant.
    Invalidate(Option<Version>),
    /// A move after this commit.
    Move(Version),
}

/// Where a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Idle,
    /// Will go by what its process knows then.
    Ready(Aim),
    /// Its step is under way.
    Under(Aim, Errand),
    /// Has found no record, or will move it.
    Missing(Aim),
    /// The record was read or made, and the answer is under way.
    Opening(Aim, Question),
    /// Waits until a generation is settled.
    Settling {
        aim: Aim,
        generation: Generation,
        left: Ticks,
    },
    /// Holds the lease in this generation, and loads.
    Leading(Generation),
    /// Has loaded, and will fill.
    Loaded(Generation, Version),
    Done,
    /// Has returned a value that it must not return.
    Wrong(Broken),
}

/// A step on the slot, and the question beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Errand {
    pub(crate) generation: Generation,
    pub(crate) reply: Option<Reply>,
    pub(crate) question: Option<Question>,
}

/// What the slot said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Hit(Version),
    Granted,
    Leased,
    Emptied,
}

/// What a caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Commit,
    /// Sends its step without a question.
    Send,
    /// The store carries out the step; one that was not sent yet has a question beside it.
    Step,
    /// The store answers the question beside the step.
    Ask,
    /// The answers arrive.
    Answer,
    /// The same, but the record's was overtaken by a newer one.
    Overtaken,
    /// The store reads the record, or makes it.
    Open,
    Load,
    Fill,
    /// Puts on record that the generation is settled, and returns.
    Mark,
    /// Returns, since the store did not take that.
    Leave,
}

/// What becomes of a step once its answers are there.
enum Verdict {
    Holds,
    Settles(Ticks),
    Moved,
    Gone,
}

impl Protocol {
    /// What caller `number` can do now.
    pub(crate) fn deeds(&self, world: &World, number: usize) -> Vec<Deed> {
        let known = world.known[self.process(number)];
        let arrivals = |question: Question| match question.answer {
            Answer::Outstanding => vec![],
            Answer::Says(record)
                if known.is_some_and(|known| known.generation != record.generation) =>
            {
                vec![Deed::Answer, Deed::Overtaken]
            }
            Answer::Says(_) | Answer::Gone => vec![Deed::Answer],
        };
        let first = known.map_or(Deed::Open, |_| Deed::Ask);
        match world.callers[number] {
            Stage::Idle if self.waits_for_twin(world, number) => vec![],
            Stage::Idle => match self.role(number) {
                Role::Reader => self.sendings(known, number),
                Role::Writer if self.has(Habit::AskEarly) => vec![first],
                Role::Writer | Role::Mover => vec![Deed::Commit],
            },
            Stage::Ready(_) if known.is_none() => vec![Deed::Open],
            Stage::Ready(Aim::Read(_)) => self.sendings(known, number),
            Stage::Ready(Aim::Invalidate(None)) => vec![Deed::Ask],
            Stage::Ready(_) if self.has(Habit::WriteUnasked) => vec![Deed::Send],
            Stage::Ready(_) => vec![Deed::Step, Deed::Ask],
            // The mutant's commit is between its question and its step.
            Stage::Under(Aim::Invalidate(None), _) => vec![Deed::Commit],
            Stage::Under(_, errand) => {
                let mut deeds = vec![];
                if errand.reply.is_none() {
                    deeds.push(Deed::Step);
                }
                match errand.question {
                    Some(question) if question.answer == Answer::Outstanding => {
                        deeds.push(Deed::Ask);
                    }
                    Some(question) if errand.reply.is_some() => deeds = arrivals(question),
                    _ => {}
                }
                deeds
            }
            Stage::Missing(_) => vec![Deed::Open],
            Stage::Opening(_, question) => arrivals(question),
            Stage::Settling { left: 0, .. } => vec![Deed::Mark, Deed::Leave],
            Stage::Leading(_) => vec![Deed::Load],
            Stage::Loaded(..) => vec![Deed::Fill],
            Stage::Settling { .. } | Stage::Done | Stage::Wrong(_) => vec![],
        }
    }

    /// A reader asks when it must, and may do so before, for the others of its process.
    fn sendings(&self, known: Option<Known>, number: usize) -> Vec<Deed> {
        let is_alone = self.neighbours(self.process(number)) == 1;
        match known {
            None => vec![Deed::Open],
            Some(_) if self.has(Habit::TrustForever) => vec![Deed::Send],
            Some(known) if known.is_trusted() && is_alone => vec![Deed::Send],
            Some(known) if known.is_trusted() => vec![Deed::Send, Deed::Step, Deed::Ask],
            Some(_) => vec![Deed::Step, Deed::Ask],
        }
    }

    /// Lets caller `number` do it.
    pub(crate) fn act(&self, world: &mut World, number: usize, deed: Deed) {
        let process = self.process(number);
        let after = match (deed, world.callers[number]) {
            (Deed::Commit, before) => {
                world.source += 1;
                let version = world.source;
                match before {
                    Stage::Under(_, errand) => Stage::Under(Aim::Invalidate(Some(version)), errand),
                    _ if self.role(number) == Role::Mover => Stage::Missing(Aim::Move(version)),
                    _ => Stage::Ready(Aim::Invalidate(Some(version))),
                }
            }
            (Deed::Send, before) => {
                let (aim, errand) = self.errand(world, number, before);
                let question = None;
                Stage::Under(aim, Errand { question, ..errand })
            }
            (Deed::Step, before) => {
                let (aim, errand) = self.errand(world, number, before);
                let reply = step(world.slot(errand.generation), number, aim);
                if errand.question.is_none()
                    && reply == Reply::Emptied
                    && let Some(left) = world.known[process].and_then(|known| known.settles)
                {
                    // The mutant that does not ask waits nevertheless.
                    Stage::Settling {
                        aim,
                        generation: errand.generation,
                        left,
                    }
                } else if errand.question.is_none() {
                    end(world, aim, errand.generation, reply)
                } else {
                    let reply = Some(reply);
                    Stage::Under(aim, Errand { reply, ..errand })
                }
            }
            (Deed::Ask, before) => {
                let (aim, errand) = self.errand(world, number, before);
                let answer = world.answer();
                let question = errand.question.map(|asked| Question { answer, ..asked });
                Stage::Under(aim, Errand { question, ..errand })
            }
            (Deed::Answer | Deed::Overtaken, Stage::Under(aim, errand)) => {
                self.judge(world, process, aim, errand, deed == Deed::Answer)
            }
            (Deed::Open, before) => {
                let aim = self.aim(world, number, before);
                self.open(world, matches!(aim, Aim::Move(_)));
                let answer = world.answer();
                let question = Question {
                    answer,
                    ..Question::new()
                };
                Stage::Opening(aim, question)
            }
            (Deed::Answer | Deed::Overtaken, Stage::Opening(aim, question)) => {
                let Answer::Says(record) = question.answer else {
                    unreachable!("a record was made");
                };
                if deed == Deed::Answer {
                    self.note(world, process, record, question.sent);
                }
                match aim {
                    Aim::Move(_) if self.has(Habit::MoveHasty) => complete(world, aim),
                    Aim::Move(_) => Stage::Settling {
                        aim,
                        generation: record.generation,
                        left: self.settle(),
                    },
                    Aim::Read(_) | Aim::Invalidate(_) => Stage::Ready(aim),
                }
            }
            (
                Deed::Mark,
                Stage::Settling {
                    aim, generation, ..
                },
            ) => {
                self.mark(world, process, generation);
                complete(world, aim)
            }
            (Deed::Leave, Stage::Settling { aim, .. }) => complete(world, aim),
            (Deed::Load, Stage::Leading(generation)) => Stage::Loaded(generation, world.source),
            (Deed::Fill, Stage::Loaded(generation, version)) => {
                let slot = world.slot(generation);
                if *slot == Slot::Lease(number) {
                    *slot = Slot::Value(version);
                }
                Stage::Done
            }
            (deed, before) => unreachable!("{deed:?} of {before:?}"),
        };
        world.callers[number] = after;
    }

    /// What a caller does once its answers are there.
    fn judge(
        &self,
        world: &mut World,
        process: usize,
        aim: Aim,
        errand: Errand,
        is_news: bool,
    ) -> Stage {
        let generation = errand.generation;
        let reply = errand.reply.expect("a reply");
        let question = errand.question.expect("a question");
        let writes = matches!(aim, Aim::Invalidate(_));
        let is_content = |verdict: &Verdict| match verdict {
            Verdict::Holds => true,
            Verdict::Settles(_) => !writes || self.has(Habit::WriteHasty),
            Verdict::Moved if writes => self.has(Habit::WriteOnce),
            Verdict::Moved => self.has(Habit::ReadOnce),
            Verdict::Gone => writes && self.has(Habit::GoneHolds),
        };
        match self.verdict(world, process, generation, question, is_news) {
            verdict if is_content(&verdict) => end(world, aim, generation, reply),
            Verdict::Settles(left) => Stage::Settling {
                aim,
                generation,
                left,
            },
            Verdict::Holds | Verdict::Moved => Stage::Ready(aim),
            Verdict::Gone => Stage::Missing(aim),
        }
    }

    /// What is in hand, or begins now.
    fn aim(&self, world: &World, number: usize, before: Stage) -> Aim {
        match before {
            Stage::Ready(aim) | Stage::Missing(aim) => aim,
            _ if self.role(number) == Role::Reader => Aim::Read(world.floor),
            _ => Aim::Invalidate(None),
        }
    }

    /// The errand that is under way, or one that is sent now.
    fn errand(&self, world: &World, number: usize, before: Stage) -> (Aim, Errand) {
        if let Stage::Under(aim, errand) = before {
            return (aim, errand);
        }
        let aim = self.aim(world, number, before);
        let known = world.known[self.process(number)].expect("a generation");
        let errand = Errand {
            generation: known.generation,
            reply: None,
            question: Some(Question::new()),
        };
        (aim, errand)
    }

    /// Holds a plan against what the record said beside it, as `Generations::verdict` does. By what is known of its own
    /// generation, or else by the record alone.
    fn verdict(
        &self,
        world: &mut World,
        process: usize,
        plan: Generation,
        question: Question,
        is_news: bool,
    ) -> Verdict {
        let Answer::Says(record) = question.answer else {
            return Verdict::Gone;
        };
        if is_news {
            self.note(world, process, record, question.sent);
        }
        let known = world.known[process];
        if record.generation != plan {
            Verdict::Moved
        } else if let Some(known) = known
            && (known.generation == plan || self.has(Habit::WaitForAnother))
        {
            known.settles.map_or(Verdict::Holds, Verdict::Settles)
        } else if record.settled {
            Verdict::Holds
        } else {
            Verdict::Settles(self.settle())
        }
    }

    /// Notes what the record said, as `Known::note` does.
    fn note(&self, world: &mut World, process: usize, record: Record, sent: Ticks) {
        let sent = if self.has(Habit::TrustFromAnswer) {
            0
        } else {
            sent
        };
        match &mut world.known[process] {
            Some(known) if known.generation == record.generation => {
                if record.settled {
                    known.settles = None;
                }
                known.confirmed = known.confirmed.min(sent);
            }
            known => {
                *known = Some(Known {
                    generation: record.generation,
                    settles: (!record.settled).then(|| self.settle()),
                    confirmed: sent,
                });
            }
        }
    }

    /// As `open.lua` does.
    fn open(&self, world: &mut World, moves: bool) {
        if world.record.is_some() && !moves {
            return;
        }
        let again = if self.has(Habit::MakeOlder) && !moves {
            Some(world.slots.len() - 2)
        } else if self.has(Habit::MakeLatest) && !moves {
            Some(world.slots.len() - 1)
        } else {
            None
        };
        let generation = again.unwrap_or_else(|| {
            world.slots.push(Slot::Empty);
            world.slots.len() - 1
        });
        world.record = Some(Record {
            generation: Generation::try_from(generation).expect("a small number"),
            settled: self.has(Habit::MakeSettled),
        });
    }

    /// As `settle.lua` does, and `Generations::settled` once that is answered.
    fn mark(&self, world: &mut World, process: usize, generation: Generation) {
        if let Some(record) = &mut world.record
            && (record.generation == generation || self.has(Habit::MarkAny))
        {
            record.settled = true;
        }
        if let Some(known) = &mut world.known[process]
            && known.generation == generation
        {
            known.settles = None;
        }
    }

    fn settle(&self) -> Ticks {
        if self.has(Habit::SettleShort) {
            TRUST
        } else {
            SETTLE
        }
    }
}

/// Carries out a step on a slot.
fn step(slot: &mut Slot, number: usize, aim: Aim) -> Reply {
    match (aim, *slot) {
        (Aim::Read(_), Slot::Value(version)) => Reply::Hit(version),
        (Aim::Read(_), Slot::Lease(_)) => Reply::Leased,
        (Aim::Read(_), Slot::Empty) => {
            *slot = Slot::Lease(number);
            Reply::Granted
        }
        _ => {
            *slot = Slot::Empty;
            Reply::Emptied
        }
    }
}

/// What a caller does with a reply that holds. What it loads itself, after it began, is never too old.
fn end(world: &mut World, aim: Aim, generation: Generation, reply: Reply) -> Stage {
    match (aim, reply) {
        (Aim::Read(floor), Reply::Hit(version)) => floor
            .judge(version)
            .map_or_else(Stage::Wrong, |()| Stage::Done),
        (Aim::Read(_), Reply::Granted) => Stage::Leading(generation),
        (Aim::Read(_), _) => Stage::Done,
        _ => complete(world, aim),
    }
}

/// From now on this is promised.
fn complete(world: &mut World, aim: Aim) -> Stage {
    let floor = &mut world.floor;
    match aim {
        Aim::Read(_) => {}
        Aim::Invalidate(version) => floor.invalidated = floor.invalidated.max(version.unwrap_or(0)),
        Aim::Move(version) => floor.moved = floor.moved.max(version),
    }
    Stage::Done
}
