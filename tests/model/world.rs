//! The world: the source, the one slot, and what is promised at this moment. There is no clock in it.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use cache_runtime::slot::{Slot, Token};

use crate::readers::Reader;
use crate::writers::Writer;

/// What the source holds: the number of mutations that have committed.
pub(crate) type Version = u8;

/// The value that stands in the slot at the start of some scenarios.
pub(crate) fn first() -> Token {
    token(b'v', 0)
}

/// The same, of another type or version: as good as none for every reader here.
pub(crate) fn foreign() -> Token {
    token(b'x', 0)
}

/// The token of one process: the same in every run, so that equal states are equal.
pub(crate) fn token(kind: u8, number: usize) -> Token {
    let mut bytes = [0; Token::LEN];
    bytes[0] = kind;
    bytes[Token::LEN - 1] = u8::try_from(number).expect("a small number");
    Token::from_slice(&bytes).expect("a token")
}

/// A token as it is printed: `w0` is the fence of writer 0, `r1` the lease of reader 1, `n2` the next token of reader 2.
pub(crate) fn name(token: Token) -> String {
    let bytes = token.as_bytes();
    format!("{}{}", char::from(bytes[0]), bytes[Token::LEN - 1])
}

/// Everything there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) source: Version,
    pub(crate) slot: Stored,
    pub(crate) floor: Floor,
    pub(crate) writers: Vec<Writer>,
    pub(crate) readers: Vec<Reader>,
    /// What was committed when each asker began; 0 when he has returned.
    pub(crate) asked: Vec<Version>,
    /// How many loads have begun; counted only where that is promised.
    pub(crate) loads: u8,
}

/// What no read that starts now may fall below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Floor {
    /// The newest mutation that has completed.
    pub(crate) completed: Version,
    /// The newest mutation that has committed under its fence.
    pub(crate) fenced: Version,
}

/// Which promise a read has broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    /// Promise 1: a completed mutation is seen.
    Completed,
    /// Promise 2: a mutation that committed under its fence is seen, whatever became of its process.
    Fenced,
}

impl Floor {
    /// Judges a read that began when this was the floor.
    pub(crate) fn judge(self, version: Version) -> Result<(), Broken> {
        if version < self.completed {
            Err(Broken::Completed)
        } else if version < self.fenced {
            Err(Broken::Fenced)
        } else {
            Ok(())
        }
    }

    pub(crate) fn complete(&mut self, version: Version) {
        self.completed = self.completed.max(version);
    }

    pub(crate) fn fence(&mut self, version: Version) {
        self.fenced = self.fenced.max(version);
    }
}

/// The slot, in a form that can be hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored<V = Version>(pub(crate) Slot<V>);

impl<V: Hash> Hash for Stored<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Slot::Empty => 0.hash(state),
            Slot::Value(token, value) => (1, token, value).hash(state),
            Slot::Lease(token) => (2, token).hash(state),
            Slot::Fence(fence) => (3, fence.tokens(), fence.is_tainted()).hash(state),
        }
    }
}

impl<V: Debug> Stored<V> {
    /// As it is printed in a counterexample.
    pub(crate) fn describe(&self) -> String {
        match &self.0 {
            Slot::Empty => "empty".to_owned(),
            Slot::Value(token, value) => format!("value {value:?} ({})", name(*token)),
            Slot::Lease(token) => format!("lease {}", name(*token)),
            Slot::Fence(fence) => {
                let tokens: Vec<_> = fence.tokens().iter().copied().map(name).collect();
                let tainted = if fence.is_tainted() { ", tainted" } else { "" };
                format!("fence {{{}}}{tainted}", tokens.join(", "))
            }
        }
    }
}
