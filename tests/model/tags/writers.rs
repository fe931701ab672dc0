//! The writers: mutations that tell nothing but the tag, and one that stores what it wrote.

use cache_runtime::slot::{Step, Token};

use super::generation::{Generation, Maker};
use super::protocol::{Habit, Protocol};
use super::world::{Tagged, World};
use crate::world::{Version, token};

/// How a mutation tells the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Commit, invalidate the tag.
    Plain,
    /// Raise a fence over the tag, commit, lower.
    Fenced,
    /// Raise a fence over the value, see the tag, commit, put. It tells the tag nothing.
    WriteThrough,
}

/// Where a writer is. A crash is the same as never going on, until a fence expires: that needs no action of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Writer {
    Idle,
    /// The fence is up, and `guarded` unless it got lost since.
    Raised {
        guarded: bool,
        generation: Generation,
    },
    Committed {
        version: Version,
        generation: Generation,
    },
    Done,
}

/// What a writer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Raise,
    Make,
    Commit,
    Invalidate,
    Lower,
    Put,
}

/// The fence of a writer.
pub(crate) fn fence(number: usize) -> Token {
    token(b'w', number)
}

impl Protocol {
    /// What writer `number` can do now.
    pub(crate) fn deeds(&self, world: &World, number: usize) -> Vec<Deed> {
        let mutation = self.cast.writers[number];
        // Writers of one kind are interchangeable: they begin in turn.
        let waits_for_twin = (0..number)
            .any(|n| self.cast.writers[n] == mutation && world.writers[n] == Writer::Idle);
        if waits_for_twin {
            return Vec::new();
        }
        match (mutation, world.writers[number]) {
            (Mutation::Plain, Writer::Idle) | (Mutation::Fenced, Writer::Raised { .. }) => {
                vec![Deed::Commit]
            }
            (Mutation::Plain, Writer::Committed { .. }) => vec![Deed::Invalidate],
            (Mutation::Fenced | Mutation::WriteThrough, Writer::Idle) => vec![Deed::Raise],
            (Mutation::Fenced, Writer::Committed { .. }) => vec![Deed::Lower],
            (Mutation::WriteThrough, Writer::Raised { generation, .. }) => {
                if generation.is_settled() || self.has(Habit::WriteFirst) {
                    vec![Deed::Commit]
                } else {
                    vec![Deed::Make]
                }
            }
            (Mutation::WriteThrough, Writer::Committed { generation, .. }) => match generation {
                Generation::Known(_) => vec![Deed::Put],
                Generation::Never => vec![Deed::Lower],
                _ => vec![Deed::Make],
            },
            _ => Vec::new(),
        }
    }

    /// Lets writer `number` do it.
    pub(crate) fn write(&self, world: &mut World, number: usize, deed: Deed) {
        let own = fence(number);
        let tells_tag = self.cast.writers[number] != Mutation::WriteThrough;
        world.writers[number] = match (deed, world.writers[number]) {
            (Deed::Raise, _) => {
                if tells_tag {
                    self.apply_to_tag(world, Step::Raise(own));
                } else {
                    world.apply(Step::Raise(own));
                }
                Writer::Raised {
                    guarded: true,
                    generation: Generation::Unknown(0),
                }
            }
            // An acquire finds what a look would find.
            (
                Deed::Make,
                Writer::Raised {
                    guarded,
                    generation,
                },
            ) => Writer::Raised {
                guarded,
                generation: self.make(world, Maker::Writer(number), generation),
            },
            (
                Deed::Make,
                Writer::Committed {
                    version,
                    generation,
                },
            ) => Writer::Committed {
                version,
                generation: self.make(world, Maker::Writer(number), generation),
            },
            (Deed::Commit, before) => {
                world.source += 1;
                let version = world.source;
                let (guarded, generation) = match before {
                    Writer::Raised {
                        guarded,
                        generation,
                    } => (guarded, generation),
                    _ => (false, Generation::Never),
                };
                if guarded {
                    world.floor.fence(version);
                }
                Writer::Committed {
                    version,
                    generation,
                }
            }
            (
                deed @ (Deed::Invalidate | Deed::Lower | Deed::Put),
                Writer::Committed {
                    version,
                    generation,
                },
            ) => {
                match (deed, generation) {
                    (Deed::Invalidate, _) => drop(self.apply_to_tag(world, Step::Invalidate)),
                    (Deed::Put, Generation::Known(generation)) => {
                        let value = Tagged {
                            version,
                            generation,
                        };
                        world.apply(Step::Put(own, value));
                    }
                    _ if tells_tag => drop(self.apply_to_tag(world, Step::Lower(own))),
                    _ => drop(world.apply(Step::Lower(own))),
                }
                world.floor.complete(version);
                Writer::Done
            }
            (deed, before) => unreachable!("{deed:?} of {before:?}"),
        };
    }
}
