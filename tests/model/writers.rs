//! The writers: mutations of the key, each at any of its points overtaken by any other.

use cache_runtime::slot::{Reply, Step, Token};

use crate::protocol::{Habit, Protocol};
use crate::world::{Version, World, token};

/// How a mutation tells the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Commit, invalidate. May crash in between: that loses the invalidation, and nothing is promised then.
    Plain,
    /// Raise, commit, lower.
    Fenced,
    /// Raise, commit, put.
    WriteThrough,
    /// Commit, and hand the value to `Cache::put`, which raises and puts.
    Put(Newest),
}

impl Mutation {
    /// Whether it stores what it wrote.
    pub(crate) fn puts(self) -> bool {
        matches!(self, Self::WriteThrough | Self::Put(_))
    }
}

/// Until when the caller of `Cache::put` sees to it that no other mutation commits after his own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newest {
    /// Until he calls it.
    WhenCalled,
    /// Until the fence is up.
    WhenRaised,
}

/// Where a writer is. A crash needs no action of its own where it is the same as never going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Writer {
    Idle,
    /// The fence is up, and `guarded` unless it got lost since.
    Raised {
        guarded: bool,
    },
    /// It has committed, and is `promised` to every later read if its fence stood then or was raised again since.
    Committed {
        version: Version,
        promised: bool,
    },
    /// `Cache::put` was called.
    Called(Version),
    /// `Cache::put` has raised its fence; or a mutant has, too late.
    Announced(Version),
    /// The fence is down, and the source may still commit.
    InDoubt,
    Done,
    /// Its process is gone: nobody holds its fence.
    Crashed,
}

/// What a writer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Raise,
    Hold,
    Commit,
    Call,
    Invalidate,
    Lower,
    Put,
    Crash,
}

/// The fence of a writer.
pub(crate) fn fence(number: usize) -> Token {
    token(b'w', number)
}

impl Writer {
    /// Notes that its fence is gone, which only the next hold can mend.
    pub(crate) fn lose(&mut self) {
        if let Self::Raised { guarded } = self {
            *guarded = false;
        }
    }
}

impl Protocol {
    /// What writer `number` can do now.
    pub(crate) fn deeds(&self, world: &World, number: usize) -> Vec<Deed> {
        use Deed::{Call, Commit, Crash, Hold, Invalidate, Lower, Put, Raise};
        use Writer::{Announced, Called, Committed, Idle, InDoubt, Raised};

        let mutation = self.cast.writers[number];
        let writer = world.writers[number];
        // Writers of one kind are interchangeable: they begin in turn.
        let waits_for_twin =
            (0..number).any(|n| self.cast.writers[n] == mutation && world.writers[n] == Idle);
        if waits_for_twin {
            return Vec::new();
        }
        let mut deeds = match mutation {
            Mutation::Plain => match writer {
                Idle if self.has(Habit::InvalidateFirst) => vec![Invalidate],
                Idle | Raised { .. } => vec![Commit],
                Committed { .. } => vec![Invalidate],
                _ => Vec::new(),
            },
            Mutation::Fenced | Mutation::WriteThrough => match writer {
                Idle if self.has(Habit::RaiseLate) => vec![Commit],
                Committed { .. } if self.has(Habit::RaiseLate) => vec![Raise, Crash],
                Idle => vec![Raise],
                // The body may fail, and is then known not to have committed.
                Raised { .. } => vec![Commit, Hold, Lower, Crash],
                // One that was dropped after its commit, or whose value cannot be stored, lowers.
                Committed { .. } if mutation.puts() => vec![Hold, Put, Lower, Crash],
                Committed { .. } => vec![Hold, Lower, Crash],
                Announced(_) => vec![Lower],
                InDoubt => vec![Commit],
                _ => Vec::new(),
            },
            Mutation::Put(newest) => match writer {
                Idle => vec![Commit],
                Committed { version, .. } if version == world.source => vec![Call],
                Called(version) if newest == Newest::WhenCalled || version == world.source => {
                    vec![Raise]
                }
                // He knows of a newer one, so he must not put.
                Committed { .. } | Called(_) => vec![Invalidate],
                Announced(_) => vec![Put],
                _ => Vec::new(),
            },
        };
        if self.has(Habit::NeverHold) {
            deeds.retain(|deed| *deed != Hold);
        }
        deeds
    }

    /// Lets writer `number` do it.
    pub(crate) fn write(&self, world: &mut World, number: usize, deed: Deed) {
        let own = fence(number);
        let version = match world.writers[number] {
            Writer::Committed { version, .. }
            | Writer::Called(version)
            | Writer::Announced(version) => Some(version),
            _ => None,
        };
        world.writers[number] = match deed {
            Deed::Raise => {
                self.apply(world, Step::Raise(own));
                match version {
                    None => Writer::Raised { guarded: true },
                    Some(version) => Writer::Announced(version),
                }
            }
            Deed::Hold => {
                self.apply(world, Step::Hold(own));
                match version {
                    None => Writer::Raised { guarded: true },
                    Some(version) => {
                        world.floor.fence(version);
                        Writer::Committed {
                            version,
                            promised: true,
                        }
                    }
                }
            }
            Deed::Commit => self.commit(world, number),
            Deed::Call => version.map_or(Writer::Done, Writer::Called),
            Deed::Invalidate => {
                self.apply(world, Step::Invalidate);
                match version {
                    // A mutant that invalidates before it commits.
                    None => Writer::Raised { guarded: false },
                    Some(version) => {
                        world.floor.complete(version);
                        Writer::Done
                    }
                }
            }
            Deed::Lower => {
                self.apply(world, Step::Lower(own));
                match version {
                    None if self.has(Habit::LowerInDoubt) => Writer::InDoubt,
                    None => Writer::Done,
                    Some(version) => {
                        world.floor.complete(version);
                        Writer::Done
                    }
                }
            }
            Deed::Put => {
                let version = version.expect("a value that was written");
                let reply = self.apply(world, Step::Put(own, version));
                assert!(matches!(reply, Reply::Done | Reply::Refused));
                world.floor.complete(version);
                Writer::Done
            }
            Deed::Crash => Writer::Crashed,
        };
    }

    fn commit(&self, world: &mut World, number: usize) -> Writer {
        world.source += 1;
        let version = world.source;
        match (self.cast.writers[number], world.writers[number]) {
            (Mutation::Plain, Writer::Raised { .. }) => {
                world.floor.complete(version);
                Writer::Done
            }
            (Mutation::Plain, _) if self.has(Habit::ClaimPlain) => {
                world.floor.fence(version);
                Writer::Committed {
                    version,
                    promised: true,
                }
            }
            (Mutation::Plain | Mutation::Put(_), _) => Writer::Committed {
                version,
                promised: false,
            },
            (_, Writer::Raised { guarded }) => {
                if guarded {
                    world.floor.fence(version);
                }
                Writer::Committed {
                    version,
                    promised: guarded,
                }
            }
            // Mutants, which claim what the others keep.
            (_, before) => {
                world.floor.fence(version);
                if before == Writer::InDoubt {
                    Writer::Done
                } else {
                    Writer::Committed {
                        version,
                        promised: true,
                    }
                }
            }
        }
    }
}
