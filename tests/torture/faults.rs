//! What goes wrong, and when: drawn from the seed, one at a time, in bursts with calm stretches between them.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The workers start: nothing is wrong, and nothing is fast yet.
    Start,
    /// A worker is killed after it committed and before it invalidates.
    Kill,
    /// Redis is stopped, and goes on.
    Freeze,
    /// Redis is killed, and started empty.
    Restart,
    /// `FLUSHALL`.
    Flush,
    /// `CLIENT KILL`: all connections end.
    Disconnect,
    /// `CLIENT PAUSE`.
    Pause,
    /// Redis has too little memory, and evicts.
    Evict,
    /// Requests and replies of one worker are late.
    Delay,
    /// Connections of one worker end in the midst of replies.
    Cut,
    /// Replies to one worker are damaged.
    Corrupt,
    /// Replies to one worker are those to another request.
    Mislead,
    /// The kill switch is thrown in one worker, and thrown back.
    Switch,
    /// One worker moves the epoch, or its record is lost.
    Epoch,
}

impl Kind {
    /// Those that are drawn. A new fault is added here, and to `Storm::rage`.
    const DRAWN: [Self; 13] = [
        Self::Kill,
        Self::Freeze,
        Self::Restart,
        Self::Flush,
        Self::Disconnect,
        Self::Pause,
        Self::Evict,
        Self::Delay,
        Self::Cut,
        Self::Corrupt,
        Self::Mislead,
        Self::Switch,
        Self::Epoch,
    ];

    /// Whether the store may not answer, or may not be heard.
    pub(crate) fn hampers(self) -> bool {
        !matches!(self, Self::Kill | Self::Switch)
    }

    /// Whether slots are lost, and with them fences.
    pub(crate) fn empties(self) -> bool {
        matches!(
            self,
            Self::Restart | Self::Flush | Self::Evict | Self::Epoch
        )
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "the workers start",
            Self::Kill => "a worker is killed after its commit",
            Self::Freeze => "Redis is frozen",
            Self::Restart => "Redis is killed and restarted empty",
            Self::Flush => "FLUSHALL",
            Self::Disconnect => "CLIENT KILL",
            Self::Pause => "CLIENT PAUSE",
            Self::Evict => "Redis evicts",
            Self::Delay => "a worker's line is slow",
            Self::Cut => "a worker's line is cut in mid-reply",
            Self::Corrupt => "a worker's replies are corrupted",
            Self::Mislead => "a worker's replies are those to other requests",
            Self::Switch => "a worker's kill switch is thrown",
            Self::Epoch => "the epoch moves",
        })
    }
}

/// One fault as it is to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Before it begins.
    pub(crate) pause: Duration,
    /// How long it lasts, where that can be chosen.
    pub(crate) lasts: Duration,
    /// Which worker, where it is one.
    pub(crate) worker: usize,
}

/// The faults of one run.
#[derive(Debug)]
pub(crate) struct Schedule {
    random: Rng,
    workers: usize,
    /// What is left of each kind in this round: each comes before one comes again.
    round: Vec<Kind>,
    in_burst: u32,
}

/// How many faults come in a row.
const BURST: u32 = 6;

/// Between two bursts: so long that after the aftermath of the last there is time in which promise 3 can be checked.
const CALM: Duration = Duration::from_millis(5500);

/// Before a worker is killed: so long that its fence is known to be renewed.
const BEFORE_KILL: Duration = Duration::from_secs(3);

impl Schedule {
    pub(crate) fn new(seed: u64, workers: usize) -> Self {
        Self {
            random: Rng::with_seed(seed),
            workers,
            round: Vec::new(),
            in_burst: 1,
        }
    }
}

impl Iterator for Schedule {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        if self.round.is_empty() {
            self.round = Kind::DRAWN.to_vec();
            self.random.shuffle(&mut self.round);
        }
        let kind = self.round.pop()?;
        let pause = if self.in_burst == 0 {
            CALM
        } else if kind == Kind::Kill {
            BEFORE_KILL
        } else {
            Duration::from_millis(self.random.u64(100..900))
        };
        self.in_burst = (self.in_burst + 1) % BURST;
        Some(Fault {
            kind,
            pause,
            lasts: Duration::from_millis(self.random.u64(50..1200)),
            worker: self.random.usize(0..self.workers),
        })
    }
}
