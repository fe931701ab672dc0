//! How a call comes by the generation that its value is stored with.

use cache_runtime::slot::{Reply, Step, Token};

use super::protocol::Protocol;
use super::world::World;
use crate::world::token;

/// What a look at a tag found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Seen {
    Generation(Token),
    Missing,
    Fenced,
}

/// What is known of the generation to store with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Generation {
    /// The tag had none, or was not looked at; so often one was made in vain.
    Unknown(u8),
    /// This one has the lease of the tag's slot, and is to be kept there.
    Made(Token),
    Known(Token),
    /// Nothing is to be stored.
    Never,
}

/// How often a call makes one.
const ROUNDS: u8 = 2;

impl Seen {
    pub(crate) fn of(reply: &Reply<()>) -> Self {
        match reply {
            Reply::Hit(generation, ()) | Reply::Leased(generation) => Self::Generation(*generation),
            Reply::Fenced => Self::Fenced,
            _ => Self::Missing,
        }
    }

    pub(crate) fn generation(self) -> Generation {
        match self {
            Self::Generation(generation) => Generation::Known(generation),
            Self::Missing | Self::Fenced => Generation::Unknown(0),
        }
    }
}

impl Generation {
    /// Whether nothing more is to be done about it.
    pub(crate) fn is_settled(self) -> bool {
        matches!(self, Self::Known(_) | Self::Never)
    }
}

/// Who makes a generation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Maker {
    Reader(usize),
    Writer(usize),
}

impl Maker {
    /// A token that is used once: in this round, by this call.
    fn token(self, round: u8) -> Token {
        let number = match self {
            Self::Reader(number) => number,
            Self::Writer(number) => number + 10,
        };
        token(b'g', number + 20 * usize::from(round))
    }
}

impl Protocol {
    /// One step towards a generation.
    pub(crate) fn make(&self, world: &mut World, maker: Maker, before: Generation) -> Generation {
        match before {
            Generation::Unknown(round) => {
                let lease = maker.token(round);
                match self.apply_to_tag(world, Step::Acquire { lease, over: None }) {
                    Reply::Granted => Generation::Made(lease),
                    reply => match Seen::of(&reply) {
                        Seen::Generation(generation) => Generation::Known(generation),
                        Seen::Missing | Seen::Fenced => Generation::Never,
                    },
                }
            }
            Generation::Made(lease) => match self.apply_to_tag(world, Step::Fill(lease, ())) {
                Reply::Done => Generation::Known(lease),
                _ => (1..ROUNDS)
                    .find(|round| maker.token(round - 1) == lease)
                    .map_or(Generation::Never, Generation::Unknown),
            },
            settled => settled,
        }
    }
}
