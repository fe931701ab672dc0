//! What is measured.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// One table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
pub(crate) enum Measure {
    /// A hit in the process, on an `Arc`.
    LocalArc,
    /// A hit in the process, on a struct that is cloned.
    LocalStruct,
    /// A hit in Redis.
    RedisHit,
    /// A miss in Redis, with a body that costs nothing.
    RedisMiss,
    /// A call while the cache is off.
    Off,
    /// The key `user:<id>`.
    KeyBuild,
}

impl Measure {
    /// How many callers at once: threads in the process, tasks against Redis.
    pub(crate) const fn callers(self) -> &'static [usize] {
        match self {
            Self::LocalArc | Self::LocalStruct => &[1, 2],
            Self::RedisHit => &[1, 64, 256],
            Self::RedisMiss | Self::Off | Self::KeyBuild => &[1],
        }
    }

    /// Whether the calls go to a server, and take microseconds.
    pub(crate) const fn is_remote(self) -> bool {
        matches!(self, Self::RedisHit | Self::RedisMiss)
    }

    /// Whether each call runs the body, and not none.
    pub(crate) const fn misses(self) -> bool {
        matches!(self, Self::RedisMiss)
    }

    /// The subject that the others are compared with.
    pub(crate) const fn base(self) -> &'static str {
        match self {
            Self::LocalArc | Self::LocalStruct => "quick_cache",
            Self::RedisHit | Self::RedisMiss => "redis",
            Self::Off => "plain",
            Self::KeyBuild => "format",
        }
    }

    /// The heading of the table.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::LocalArc => "Local hit, `Arc` of a struct",
            Self::LocalStruct => "Local hit, a struct that is cloned",
            Self::RedisHit => "Redis hit",
            Self::RedisMiss => "Redis miss, with a body that costs nothing",
            Self::Off => "Switched off",
            Self::KeyBuild => "The key `user:<id>`",
        }
    }
}
