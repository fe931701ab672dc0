//! The readers: calls of the cached function, in one process or another.
//!
//! What a reader loads himself, after he began, is never too old: the source only moves on. Hence his floor is kept
//! only until he loads; what remains to be judged is what he finds in the slot or is handed by another.

use cache_runtime::slot::{Reply, Slot, Step, Token};

use crate::protocol::{Habit, Protocol};
use crate::world::{Broken, Floor, Version, World, foreign, token};

/// One caller of the cached function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// In the first process, whose callers can join each other's loads.
    Here,
    /// In the second.
    There,
    /// In the first process, and takes every value that he finds for one to be refreshed in the background.
    Refresher,
    /// In the first process, within `refresh`: he loads, and replaces what he finds. When he has returned, that counts as a
    /// mutation of what was committed before he began.
    Asker,
}

impl Caller {
    /// Whether the two can join each other's loads.
    pub(crate) fn is_near(self, other: Self) -> bool {
        (self == Self::There) == (other == Self::There)
    }
}

/// Where a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reader {
    Idle,
    /// Found nothing that he can use, and will take the lease. `early` is what a mutant has loaded before that.
    Missed {
        floor: Floor,
        over: Option<Token>,
        early: Option<Version>,
    },
    /// Waits for the load of another.
    Waiting {
        lease: Token,
        floor: Floor,
    },
    /// Holds the lease, and loads.
    Leading(Token),
    /// Has loaded, has handed it to those who wait, and will fill.
    Loaded(Token, Version),
    /// Has filled; some of those who wait have not looked yet.
    Landed(Token, Version),
    /// Was cancelled, or his load failed: his lease is taken over or released.
    Vacant(Token),
    /// Has returned a value of this token, and loads a newer one.
    Refreshing(Token),
    /// Has loaded it.
    Refreshed(Token, Version),
    /// An asker who has found nothing to replace: what is there is to go before he loads.
    Clearing,
    /// An asker who has loaded, and could replace nothing: what is there is to go.
    Dropping,
    Done,
    /// Has returned a value that he must not return.
    Wrong(Broken),
}

/// What a reader can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Read,
    Acquire,
    Load,
    Renew,
    Fill,
    Cancel,
    Release,
    Join,
    TakeOver,
    LoadAlone,
    Refresh,
    Clear,
    Drop,
}

/// The lease of a reader.
pub(crate) fn lease(number: usize) -> Token {
    token(b'r', number)
}

/// What a refresh of his stores.
pub(crate) fn next(number: usize) -> Token {
    token(b'n', number)
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
                    vec![Turn::Read]
                }
            }
            Reader::Missed { early: None, .. } if self.has(Habit::LoadFirst) => vec![Turn::Load],
            Reader::Missed { .. } => vec![Turn::Acquire],
            Reader::Waiting { lease, .. } => {
                // A look at the slot stands for the watch over another process, and for a flight that has moved.
                let mut turns = vec![Turn::Read];
                if !self.cast.calm {
                    turns.push(Turn::LoadAlone);
                }
                if self.landed(world, caller, lease).is_some() {
                    turns.push(Turn::Join);
                }
                if self.vacant(world, caller, lease).is_some() {
                    turns.push(Turn::TakeOver);
                }
                turns
            }
            Reader::Leading(_) if self.cast.cancels => vec![Turn::Load, Turn::Renew, Turn::Cancel],
            Reader::Loaded(..) if self.cast.cancels => vec![Turn::Fill, Turn::Renew, Turn::Cancel],
            Reader::Loaded(..) => vec![Turn::Fill],
            Reader::Vacant(_) => vec![Turn::Release],
            Reader::Leading(_) | Reader::Refreshing(_) => vec![Turn::Load],
            Reader::Refreshed(..) => vec![Turn::Refresh],
            Reader::Clearing => vec![Turn::Clear],
            Reader::Dropping => vec![Turn::Drop],
            Reader::Landed(..) | Reader::Done | Reader::Wrong(_) => Vec::new(),
        }
    }

    /// Lets reader `number` do it.
    pub(crate) fn read(&self, world: &mut World, number: usize, turn: Turn) {
        let caller = self.cast.readers[number];
        let before = world.readers[number];
        let after = match (turn, before) {
            // To start and to look is one step: whoever dawdles in between is promised less and sees more.
            (Turn::Read, Reader::Waiting { floor, .. }) => self.look(world, number, floor),
            (Turn::Read, _) if caller == Caller::Asker => self.ask(world, number),
            (Turn::Read, _) => self.look(world, number, world.floor),

            (Turn::Acquire, Reader::Missed { floor, over, early }) => {
                let lease = self.lease(number);
                match self.apply(world, Step::Acquire { lease, over }) {
                    Reply::Granted => early.map_or(Reader::Leading(lease), |version| {
                        Reader::Loaded(lease, version)
                    }),
                    reply => self.found(world, number, floor, &reply),
                }
            }

            (Turn::Load, Reader::Missed { floor, over, .. }) => Reader::Missed {
                floor,
                over,
                early: Some(world.source),
            },
            (Turn::Load, Reader::Leading(lease)) => {
                self.count_load(world);
                Reader::Loaded(lease, world.source)
            }
            (Turn::Load, Reader::Refreshing(token)) => Reader::Refreshed(token, world.source),

            (Turn::Renew, Reader::Leading(lease) | Reader::Loaded(lease, _)) => {
                self.apply(world, Step::Renew(lease));
                before
            }
            (Turn::Fill, Reader::Loaded(lease, version)) => {
                self.apply(world, Step::Fill(lease, version));
                Reader::Landed(lease, version)
            }
            (Turn::Cancel, Reader::Leading(lease) | Reader::Loaded(lease, _)) => {
                Reader::Vacant(lease)
            }
            (Turn::Release, Reader::Vacant(lease)) => {
                self.apply(world, Step::Release(lease));
                Reader::Done
            }

            (Turn::Join, Reader::Waiting { lease, floor }) => {
                let version = self.landed(world, caller, lease).expect("a flight");
                floor
                    .judge(version)
                    .map_or_else(Reader::Wrong, |()| Reader::Done)
            }
            (Turn::TakeOver, Reader::Waiting { lease, .. }) => {
                let leader = self.vacant(world, caller, lease).expect("a free seat");
                world.readers[leader] = Reader::Done;
                Reader::Leading(lease)
            }
            (Turn::LoadAlone, Reader::Waiting { .. }) => {
                self.count_load(world);
                Reader::Done
            }

            (Turn::Refresh, Reader::Refreshed(read, value)) => {
                let token = match world.slot.0 {
                    Slot::Value(held, _) if self.has(Habit::LateToken) => held,
                    _ => read,
                };
                let next = next(number);
                let reply = self.apply(world, Step::Refresh { token, next, value });
                match reply {
                    Reply::Refused if caller == Caller::Asker && !self.has(Habit::RefusedStays) => {
                        Reader::Dropping
                    }
                    _ => Reader::Done,
                }
            }
            (Turn::Clear, Reader::Clearing) => {
                self.apply(world, Step::Invalidate);
                none_to_replace(world, number)
            }
            (Turn::Drop, Reader::Dropping) => {
                self.apply(world, Step::Invalidate);
                Reader::Done
            }
            (turn, before) => unreachable!("{turn:?} of {before:?}"),
        };
        world.readers[number] = after;
        if matches!(after, Reader::Landed(..) | Reader::Done) {
            // He has returned.
            let since = std::mem::take(&mut world.asked[number]);
            world.floor.complete(since);
        }
        self.empty_flights(world);
    }

    /// An asker looks.
    fn ask(&self, world: &mut World, number: usize) -> Reader {
        world.asked[number] = world.source;
        match self.apply(world, Step::Read) {
            Reply::Hit(token, _) => Reader::Refreshing(token),
            Reply::Leased(lease) if self.has(Habit::WaitForOlder) => Reader::Waiting {
                lease,
                floor: world.floor,
            },
            Reply::Miss if self.has(Habit::NothingStays) => none_to_replace(world, number),
            Reply::Fenced if self.has(Habit::FencedStays) => Reader::Done,
            // He loads for himself.
            Reply::Fenced => Reader::Dropping,
            Reply::Miss | Reply::Leased(_) => Reader::Clearing,
            reply => unreachable!("{reply:?} to a look"),
        }
    }

    fn look(&self, world: &mut World, number: usize, floor: Floor) -> Reader {
        let caller = self.cast.readers[number];
        if self.has(Habit::JoinByKey)
            && let Some(lease) = self.flight_of_key(world, caller)
        {
            return Reader::Waiting { lease, floor };
        }
        let reply = self.apply(world, Step::Read);
        self.found(world, number, floor, &reply)
    }

    /// What a reader does with the answer of the slot.
    fn found(
        &self,
        world: &mut World,
        number: usize,
        floor: Floor,
        reply: &Reply<Version>,
    ) -> Reader {
        let missed = |over| Reader::Missed {
            floor,
            over,
            early: None,
        };
        match *reply {
            Reply::Miss => missed(None),
            Reply::Hit(token, _) if token == foreign() => missed(Some(token)),
            Reply::Hit(token, version) => match floor.judge(version) {
                Err(broken) => Reader::Wrong(broken),
                Ok(()) if self.cast.readers[number] == Caller::Refresher => {
                    Reader::Refreshing(token)
                }
                Ok(()) => Reader::Done,
            },
            Reply::Leased(lease) => Reader::Waiting { lease, floor },
            // He loads for himself, without a fill.
            Reply::Fenced => {
                self.count_load(world);
                Reader::Done
            }
            Reply::Granted | Reply::Done | Reply::Refused => unreachable!("{reply:?} to a look"),
        }
    }

    fn lease(&self, number: usize) -> Token {
        lease(if self.has(Habit::OneLease) { 0 } else { number })
    }

    fn count_load(&self, world: &mut World) {
        if self.cast.calm {
            world.loads += 1;
        }
    }

    /// What the flight of this lease brought to its process.
    fn landed(&self, world: &World, caller: Caller, of: Token) -> Option<Version> {
        self.near(world, caller)
            .find_map(|(_, reader)| match reader {
                Reader::Loaded(lease, version) | Reader::Landed(lease, version) if lease == of => {
                    Some(version)
                }
                _ => None,
            })
    }

    /// Who has left the lead of this flight.
    fn vacant(&self, world: &World, caller: Caller, of: Token) -> Option<usize> {
        self.near(world, caller)
            .find_map(|(number, reader)| (reader == Reader::Vacant(of)).then_some(number))
    }

    /// What a mutant asks for: any load of the key that runs in this process.
    fn flight_of_key(&self, world: &World, caller: Caller) -> Option<Token> {
        self.near(world, caller)
            .find_map(|(_, reader)| match reader {
                Reader::Leading(lease) | Reader::Loaded(lease, _) => Some(lease),
                _ => None,
            })
    }

    /// The readers of one process.
    fn near(&self, world: &World, caller: Caller) -> impl Iterator<Item = (usize, Reader)> {
        let callers = self.cast.readers.iter();
        callers
            .zip(&world.readers)
            .enumerate()
            .filter_map(move |(number, (other, reader))| {
                caller.is_near(*other).then_some((number, *reader))
            })
    }

    /// Forgets flights that have landed and that nobody waits for.
    fn empty_flights(&self, world: &mut World) {
        for number in 0..world.readers.len() {
            let Reader::Landed(lease, _) = world.readers[number] else {
                continue;
            };
            let caller = self.cast.readers[number];
            let is_awaited = self.near(world, caller).any(
                |(_, reader)| matches!(reader, Reader::Waiting { lease: of, .. } if of == lease),
            );
            if !is_awaited {
                world.readers[number] = Reader::Done;
            }
        }
    }
}

/// An asker who has found nothing goes on like any other. What he is handed is to be as new as his own call.
fn none_to_replace(world: &World, number: usize) -> Reader {
    let mut floor = world.floor;
    floor.complete(world.asked[number]);
    Reader::Missed {
        floor,
        over: None,
        early: None,
    }
}
