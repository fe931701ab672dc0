//! The readers: calls of the cached function, in one process or another.

use cache_runtime::slot::{Reply, Step, Token};

use super::generation::{Generation, Maker, Seen};
use super::protocol::{Habit, Protocol};
use super::world::{Tagged, World};
use crate::world::{Broken, Floor, Version, token};

/// One caller of the cached function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// In the first process, whose callers can join each other's loads.
    Here,
    /// In the second.
    There,
}

/// What a look at the slot of the value found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Found {
    Nothing,
    Value(Token, Tagged),
    Lease(Token),
    Fence,
}

/// Where a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    Idle,
    /// Has looked at one of the two slots.
    Looking {
        floor: Floor,
        found: Option<Found>,
        seen: Option<Seen>,
    },
    /// Found nothing that he can use, and will take the lease.
    Missed {
        floor: Floor,
        over: Option<Token>,
        seen: Seen,
    },
    /// Waits for the load of another.
    Waiting {
        lease: Token,
        floor: Floor,
    },
    /// Was handed what another has loaded, and will look at the tag.
    Handed {
        floor: Floor,
        version: Version,
        generation: Generation,
    },
    /// Holds the lease, and will load once he has a generation.
    Leading(Token, Generation),
    /// Has loaded, has handed it to those who wait, and will fill.
    Loaded(Token, Version, Generation),
    /// Has filled, or given back; some of those who wait have not looked yet.
    Landed(Token, Version, Generation),
    Done,
    /// Has returned a value that he must not return.
    Wrong(Broken),
}

/// What a reader can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Read,
    ReadTag,
    Acquire,
    Make,
    Load,
    Fill,
    Release,
    Join,
}

/// The lease of a reader.
pub(crate) fn lease(number: usize) -> Token {
    token(b'r', number)
}

impl Protocol {
    /// What reader `number` can do now.
    pub(crate) fn turns(&self, world: &World, number: usize) -> Vec<Turn> {
        let caller = self.cast.readers[number];
        match world.readers[number] {
            Reader::Idle => {
                // Callers of one kind are interchangeable: they begin in turn.
                let waits_for_twin = (0..number)
                    .any(|n| self.cast.readers[n] == caller && world.readers[n] == Reader::Idle);
                if waits_for_twin {
                    Vec::new()
                } else {
                    vec![Turn::Read, Turn::ReadTag]
                }
            }
            Reader::Looking { found: None, .. } => vec![Turn::Read],
            Reader::Looking { .. } | Reader::Handed { .. } => vec![Turn::ReadTag],
            Reader::Missed { .. } => vec![Turn::Acquire],
            Reader::Waiting { lease, .. } => {
                // A look stands for the watch over another process, and for a flight that has moved. Whether he reads the tag
                // first makes no difference to what he may return.
                let mut turns = vec![Turn::Read];
                if self.landed(world, caller, lease).is_some() {
                    turns.push(Turn::Join);
                }
                turns
            }
            Reader::Leading(..) if self.has(Habit::LoadFirst) => vec![Turn::Load],
            Reader::Leading(_, generation) if generation.is_settled() => vec![Turn::Load],
            Reader::Loaded(_, _, Generation::Known(_)) => vec![Turn::Fill],
            Reader::Loaded(_, _, Generation::Never) => vec![Turn::Release],
            Reader::Leading(..) | Reader::Loaded(..) => vec![Turn::Make],
            Reader::Landed(..) | Reader::Done | Reader::Wrong(_) => Vec::new(),
        }
    }

    /// Lets reader `number` do it.
    pub(crate) fn read(&self, world: &mut World, number: usize, turn: Turn) {
        let before = world.readers[number];
        // To start and to look is one step: whoever dawdles in between is promised less and sees more.
        let floor = match before {
            Reader::Looking { floor, .. }
            | Reader::Missed { floor, .. }
            | Reader::Waiting { floor, .. }
            | Reader::Handed { floor, .. } => floor,
            _ => world.floor,
        };
        let after = match (turn, before) {
            (Turn::Read, Reader::Looking { seen, .. }) => {
                let found = found(&world.apply(Step::Read));
                self.looked(world, floor, Some(found), seen)
            }
            (Turn::Read, _) => {
                let found = found(&world.apply(Step::Read));
                self.looked(world, floor, Some(found), None)
            }
            (Turn::ReadTag, Reader::Looking { found, .. }) => {
                let seen = self.see(world);
                self.looked(world, floor, found, Some(seen))
            }
            (
                Turn::ReadTag,
                Reader::Handed {
                    version,
                    generation,
                    ..
                },
            ) => {
                let seen = self.see(world);
                let is_current = match generation {
                    Generation::Known(generation) => self.is_current(generation, seen),
                    _ => false,
                };
                if is_current || self.has(Habit::JoinUnseen) {
                    judge(floor, version)
                } else {
                    // As good as nothing: he looks again.
                    Reader::Looking {
                        floor,
                        found: None,
                        seen: Some(seen),
                    }
                }
            }
            (Turn::ReadTag, _) => {
                let seen = self.see(world);
                self.looked(world, floor, None, Some(seen))
            }

            (Turn::Acquire, Reader::Missed { over, seen, .. }) => {
                let lease = lease(number);
                match world.apply(Step::Acquire { lease, over }) {
                    Reply::Granted => Reader::Leading(lease, seen.generation()),
                    // What was seen of the tag was seen before this.
                    reply => self.looked(world, floor, Some(found(&reply)), None),
                }
            }

            (Turn::Make, Reader::Leading(lease, generation)) => {
                Reader::Leading(lease, self.make(world, Maker::Reader(number), generation))
            }
            (Turn::Make, Reader::Loaded(lease, version, generation)) => Reader::Loaded(
                lease,
                version,
                self.make(world, Maker::Reader(number), generation),
            ),
            (Turn::Load, Reader::Leading(lease, generation)) => {
                let generation = if self.has(Habit::LoadFirst) {
                    Generation::Unknown(0)
                } else {
                    generation
                };
                Reader::Loaded(lease, world.source, generation)
            }
            (Turn::Fill, Reader::Loaded(lease, version, Generation::Known(generation))) => {
                let value = Tagged {
                    version,
                    generation,
                };
                world.apply(Step::Fill(lease, value));
                Reader::Landed(lease, version, Generation::Known(generation))
            }
            (Turn::Release, Reader::Loaded(lease, version, generation)) => {
                world.apply(Step::Release(lease));
                Reader::Landed(lease, version, generation)
            }
            (Turn::Join, Reader::Waiting { lease, .. }) => {
                let caller = self.cast.readers[number];
                let (version, generation) = self.landed(world, caller, lease).expect("a flight");
                Reader::Handed {
                    floor,
                    version,
                    generation,
                }
            }
            (turn, before) => unreachable!("{turn:?} of {before:?}"),
        };
        world.readers[number] = after;
    }

    fn see(&self, world: &mut World) -> Seen {
        Seen::of(&self.apply_to_tag(world, Step::Read))
    }

    /// What a reader does when he has looked at one slot, or at both.
    fn looked(
        &self,
        world: &mut World,
        floor: Floor,
        found: Option<Found>,
        seen: Option<Seen>,
    ) -> Reader {
        match (found, seen) {
            // He loads for himself, without a fill.
            (Some(Found::Fence), _) => Reader::Done,
            // What was seen of the tag is of no use when he is handed something.
            (Some(Found::Lease(lease)), _) => Reader::Waiting { lease, floor },
            (Some(Found::Nothing), Some(seen)) => Reader::Missed {
                floor,
                over: None,
                seen,
            },
            (Some(Found::Value(token, value)), Some(seen)) => {
                if self.is_current(value.generation, seen) {
                    return judge(floor, value.version);
                }
                let over = Some(token);
                if self.has(Habit::MakeOld) && seen == Seen::Missing {
                    let lease = value.generation;
                    self.apply_to_tag(world, Step::Acquire { lease, over: None });
                    self.apply_to_tag(world, Step::Fill(lease, ()));
                    let seen = Seen::Generation(lease);
                    return Reader::Missed { floor, over, seen };
                }
                Reader::Missed { floor, over, seen }
            }
            (None | Some(Found::Nothing | Found::Value(..)), _) => {
                Reader::Looking { floor, found, seen }
            }
        }
    }

    /// Whether what was stored with this generation may be taken.
    fn is_current(&self, generation: Token, seen: Seen) -> bool {
        match seen {
            Seen::Generation(current) => generation == current,
            Seen::Missing => self.has(Habit::MissingIsEqual),
            Seen::Fenced => self.has(Habit::FencedIsEqual),
        }
    }

    /// What the flight of this lease brought to its process.
    fn landed(&self, world: &World, caller: Caller, of: Token) -> Option<(Version, Generation)> {
        let mut near = world.readers.iter().zip(&self.cast.readers);
        near.find_map(|(reader, other)| match reader {
            Reader::Loaded(lease, version, generation)
            | Reader::Landed(lease, version, generation)
                if *lease == of && *other == caller =>
            {
                Some((*version, *generation))
            }
            _ => None,
        })
    }
}

fn found(reply: &Reply<Tagged>) -> Found {
    match *reply {
        Reply::Hit(token, value) => Found::Value(token, value),
        Reply::Leased(lease) => Found::Lease(lease),
        Reply::Fenced => Found::Fence,
        _ => Found::Nothing,
    }
}

fn judge(floor: Floor, version: Version) -> Reader {
    floor
        .judge(version)
        .map_or_else(Reader::Wrong, |()| Reader::Done)
}
