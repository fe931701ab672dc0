//! The world: the source, the slot of the value, and that of its tag.

use std::fmt;

use cache_runtime::slot::{Reply, Step, Token, apply};

use super::readers::Reader;
use super::writers::Writer;
use crate::world::{Floor, Stored, Version, name, token};

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) source: Version,
    pub(crate) value: Stored<Tagged>,
    /// The token in it is the generation.
    pub(crate) tag: Stored<()>,
    pub(crate) floor: Floor,
    pub(crate) writers: Vec<Writer>,
    pub(crate) readers: Vec<Reader>,
}

impl World {
    /// Carries out a step on the slot of the value.
    pub(crate) fn apply(&mut self, step: Step<Tagged>) -> Reply<Tagged> {
        let slot = std::mem::take(&mut self.value.0);
        let (slot, reply) = apply(slot, step);
        self.value.0 = slot;
        reply
    }
}

/// A value as it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tagged {
    pub(crate) version: Version,
    /// The generation that its tag had before the load.
    pub(crate) generation: Token,
}

impl fmt::Debug for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.version, name(self.generation))
    }
}

/// The generation that the tag has at the start of some scenarios.
pub(crate) fn first() -> Token {
    token(b'g', 99)
}
