//! Generations: what stands in front of every key of this store, and can be changed while processes run.
//!
//! A record in Redis, a string beside the slots, holds the generation in force, with a check of it, the run of the server that
//! it was made in, and whether it is settled: `1f6b0c93a2d7.5e0c71aa:<run_id>:settled`. A generation is random and never used
//! twice, so that a record that was lost (a flush, an eviction, a restart) is replaced and never repeated: no value of an older
//! one can come back. Nor can it with a snapshot, a log or a replica that takes over: their run is another.
//!
//! Processes must agree on it, and a hit must stay one `GET`. They agree by two rules:
//!
//! - **A reader trusts what it has seen for [`TRUST`]**, counted from before it asked. Then one read asks for the record along with
//!   the slot, in the same round trip.
//! - **A mutation asks along always**, and carries its step out again under what it finds. Where the generation is not
//!   *settled*, because it was seen first less than [`SETTLE`] ago, it then waits until it is, so that nobody reads under an
//!   older one any more.
//!
//! Why a mutation must ask: 1. P knows generation 1. 2. The epoch moves to generation 2; Q reads it, loads a value under it.
//! 3. P commits and invalidates under generation 1: Q's value stays. Asked after the commit, the record shows generation 2;
//! where it still shows 1, nobody has loaded anything under 2 before the commit.
//!
//! Why it must wait: 1. Q trusts generation 1. 2. The epoch moves; P learns of it, commits and invalidates under generation 2.
//! 3. Q, still trusting, hits the old value under generation 1. P's call must not return before Q has stopped.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{ToRedisArgs, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::changes::{Changed, Changes};
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::slot::{Step, Token};
use crate::store::local::LocalTier;

/// How long a reader trusts the generation that it has seen.
pub(super) const TRUST: Duration = Duration::from_millis(200);

/// When nobody trusts an older generation any more. Longer than [`TRUST`] by what the clocks of two machines may differ in rate,
/// and more: durations are measured, never points in time.
pub(super) const SETTLE: Duration = Duration::from_millis(250);

/// The random part of the epoch: 48 bits in hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation([u8; GENERATION_LEN]);

pub(super) const GENERATION_LEN: usize = 12;

impl Generation {
    /// Draws one that was never used before.
    pub(super) fn new() -> Self {
        // `RandomState` takes its keys from the operating system.
        let random = RandomState::new().hash_one(Token::next().as_bytes());
        Self(hex(random))
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How it stands in its record: a reply that was damaged on its way is not taken for another generation.
    pub(super) fn checked(&self) -> Vec<u8> {
        let check: [u8; 8] = hex(xxh3_64(&self.0));
        [&self.0[..], b".", &check].concat()
    }
}

/// The lower digits of a number.
fn hex<const DIGITS: usize>(mut number: u64) -> [u8; DIGITS] {
    std::array::from_fn(|_| {
        let digit = b"0123456789abcdef"[(number & 0xF) as usize];
        number >>= 4;
        digit
    })
}

/// What the record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) generation: Generation,
    /// Whether every process has seen it.
    settled: bool,
}

impl Record {
    /// Reads what stands in Redis; `None` where there is no record, or none of ours.
    pub(super) fn read(text: &Value) -> Option<Self> {
        let Value::BulkString(text) = text else {
            return None;
        };
        let generation = Generation(*text.first_chunk()?);
        let rest = text.strip_prefix(&*generation.checked())?;
        Some(Self {
            generation,
            settled: rest.ends_with(b":settled"),
        })
    }
}

/// How sure a step must be of the generation it is carried out under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It reads what others wrote.
    Trust,
    /// It must reach every reader.
    Proof,
    /// Under a generation that is gone it does nothing, and nothing is to be done: it names a lease or value of its own.
    Nothing,
}

impl Need {
    pub(super) fn of<V>(step: &Step<V>) -> Self {
        match step {
            Step::Read | Step::Acquire { .. } => Self::Trust,
            // A refresh, too: its caller is told that what was there is replaced, for everyone.
            Step::Invalidate
            | Step::Raise(_)
            | Step::Hold(_)
            | Step::Lower(_)
            | Step::Put(..)
            | Step::Refresh { .. } => Self::Proof,
            Step::Renew(_) | Step::Fill(..) | Step::Release(_) | Step::Expire => Self::Nothing,
        }
    }
}

/// How a step is to be carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) generation: Generation,
    /// Whether the record is to be asked for along with it.
    pub(super) asks: bool,
    contact: u64,
}

/// What became of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// The generation is in force, for everyone.
    Holds,
    /// The same, but others may read under an older one until then. To be put on record afterwards.
    Settles(Instant),
    /// Another is in force: to be done again.
    Moved,
    /// The record is gone: to be made anew.
    Gone,
}

/// What this process knows of the generation in force.
pub(super) struct Generations {
    known: Mutex<Known>,
    /// Cleared when another is.
    local: Arc<LocalTier>,
    changes: Arc<Changes>,
}

struct Known {
    generation: Option<Generation>,
    /// Since when it is known to have been in force last; `None` before the record was read on this connection.
    confirmed: Option<Instant>,
    /// When a reader was sent to ask again.
    asked: Option<Instant>,
    /// When everyone has seen it; `None` if that is long past.
    settles: Option<Instant>,
    /// Counts the connections, so that an answer from a lost one confirms nothing.
    contact: u64,
}

impl Generations {
    pub(super) fn new(local: Arc<LocalTier>, changes: Arc<Changes>) -> Self {
        Self {
            known: Mutex::new(Known {
                generation: None,
                confirmed: None,
                asked: None,
                settles: None,
                contact: 0,
            }),
            local,
            changes,
        }
    }

    /// How a step is to be carried out at `now`; `None` if the record must be opened first.
    pub(super) fn plan(&self, need: Need, now: Instant) -> Option<Plan> {
        let mut known = lock(&self.known);
        let generation = known.generation?;
        let asks = match (need, known.confirmed) {
            (Need::Nothing, _) => false,
            (_, None) => return None,
            (Need::Proof, _) => true,
            (Need::Trust, Some(confirmed)) => {
                let since = |moment: Instant| now.saturating_duration_since(moment);
                // One reader asks again before the others would have to.
                since(confirmed) >= TRUST
                    || since(known.asked.map_or(confirmed, |asked| asked.max(confirmed)))
                        >= TRUST / 2
            }
        };
        if asks && need == Need::Trust {
            known.asked = Some(now);
        }
        Some(Plan {
            generation,
            asks,
            contact: known.contact,
        })
    }

    /// The number of the connection that the record is about to be opened on.
    pub(super) fn contact(&self) -> u64 {
        lock(&self.known).contact
    }

    /// Notes what the record said to a question sent at `sent` and answered at `now`.
    pub(super) fn opened(&self, contact: u64, record: Record, sent: Instant, now: Instant) {
        let mut known = lock(&self.known);
        if known.contact == contact {
            self.note(&mut known, record, sent, now);
        }
    }

    /// Holds a plan against what the record said beside it.
    pub(super) fn verdict(
        &self,
        plan: Plan,
        record: Option<Record>,
        sent: Instant,
        now: Instant,
    ) -> Verdict {
        let mut known = lock(&self.known);
        if known.contact != plan.contact {
            return Verdict::Moved;
        }
        let Some(record) = record else {
            return Verdict::Gone;
        };
        self.note(&mut known, record, sent, now);
        if record.generation != plan.generation {
            return Verdict::Moved;
        }
        if record.settled {
            return Verdict::Holds;
        }
        // What is known may be of another generation: an answer that was overtaken by this one, or one that overtook it.
        let settles = if known.generation == Some(record.generation) {
            known.settles
        } else {
            Some(now + SETTLE)
        };
        settles.map_or(Verdict::Holds, Verdict::Settles)
    }

    /// Notes that the record tells everyone that a generation is settled.
    pub(super) fn settled(&self, generation: Generation) {
        let mut known = lock(&self.known);
        if known.generation == Some(generation) {
            known.settles = None;
        }
    }

    /// The connection broke: what answers next may be another server, or another run of it.
    pub(super) fn lost(&self) {
        let mut known = lock(&self.known);
        known.confirmed = None;
        known.contact += 1;
    }

    fn note(&self, known: &mut Known, record: Record, sent: Instant, now: Instant) {
        if known.generation == Some(record.generation) {
            if record.settled {
                known.settles = None;
            }
            known.confirmed = known.confirmed.max(Some(sent));
        } else if known.confirmed.is_none_or(|confirmed| confirmed < sent) {
            // An answer that was overtaken by a newer one is no news.
            if known.generation.is_some() {
                self.changes.note(Changed::EpochMoved, None);
            }
            known.generation = Some(record.generation);
            self.local.clear();
            known.settles = (!record.settled).then(|| now + SETTLE);
            known.confirmed = Some(sent);
        }
    }
}

/// The name of a slot in Redis: the key, with the generation after its epoch.
pub(super) struct SlotName<'a> {
    pub(super) key: &'a RenderedKey,
    /// How much of the key the namespace and the number of the epoch are.
    pub(super) epoch_len: usize,
    pub(super) generation: Generation,
}

impl SlotName<'_> {
    pub(super) fn write_to(&self, out: &mut Vec<u8>) {
        let (epoch, rest) = self
            .key
            .as_bytes()
            .split_at_checked(self.epoch_len)
            .unwrap_or_default();
        for part in [epoch, b".", &self.generation.0, rest] {
            out.extend_from_slice(part);
        }
    }
}

impl ToRedisArgs for SlotName<'_> {
    fn write_redis_args<W: ?Sized + redis::RedisWrite>(&self, out: &mut W) {
        let mut name = Vec::with_capacity(self.key.as_bytes().len() + 1 + GENERATION_LEN);
        self.write_to(&mut name);
        out.write_arg(&name);
    }
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn generations() -> Generations {
        Generations::new(
            LocalTier::new(1, 1, Clock::default()).into(),
            Arc::default(),
        )
    }

    fn record(text: impl Into<Vec<u8>>) -> Option<Record> {
        Record::read(&Value::BulkString(text.into()))
    }

    #[test]
    fn a_record_reads_back() {
        let generation = Generation::new();
        for (end, settled) in [(&b":0a1b"[..], false), (b":0a1b:settled", true)] {
            let read = record([&generation.checked(), end].concat());
            assert_eq!(
                read,
                Some(Record {
                    generation,
                    settled
                })
            );
        }
        assert_ne!(Generation::new(), generation);
    }

    #[test]
    fn a_damaged_record_is_none_or_says_less() {
        let generation = Generation::new();
        let text = [&generation.checked()[..], b":0a1b:settled"].concat();
        for (i, bit) in (0..text.len()).flat_map(|i| (0..8).map(move |bit| (i, bit))) {
            let mut damaged = text.clone();
            damaged[i] ^= 1 << bit;
            let same = record(damaged).is_none_or(|record| record.generation == generation);
            assert!(same, "byte {i}, bit {bit}");
        }
        for foreign in ["", "nonsense", "1f6b0c93a2d7", "1f6b0c93a2d7.00000000:"] {
            assert_eq!(record(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn an_answer_that_was_overtaken_is_no_news() {
        let generations = generations();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let [old, new] = [Generation::new(), Generation::new()].map(|generation| Record {
            generation,
            settled: true,
        });
        assert_eq!(generations.plan(Need::Proof, start), None);
        generations.opened(0, new, at(20), at(21));
        generations.opened(0, old, at(10), at(30));
        let plan = generations.plan(Need::Proof, at(40));
        assert_eq!(plan.map(|plan| plan.generation), Some(new.generation));
    }

    /// Found by the model: 1. W takes the time, and is held up. 2. Others of this process learn of the new generation, and
    /// then of the old one, from answers that crossed. 3. W's step is carried out under the new one, which is not settled.
    #[test]
    fn a_verdict_is_about_the_generation_of_the_plan() {
        let generations = generations();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let [old, new] = [true, false].map(|settled| Record {
            generation: Generation::new(),
            settled,
        });
        generations.opened(0, old, at(0), at(1));
        generations.opened(0, new, at(11), at(30));
        let plan = generations.plan(Need::Proof, at(10));
        generations.opened(0, old, at(12), at(31));
        let verdict = plan.map(|plan| generations.verdict(plan, Some(new), at(10), at(40)));
        assert_eq!(verdict, Some(Verdict::Settles(at(40) + SETTLE)));
    }

    #[test]
    fn a_connection_that_is_lost_confirms_nothing() {
        let generations = generations();
        let now = Instant::now();
        let record = Record {
            generation: Generation::new(),
            settled: true,
        };
        generations.opened(0, record, now, now);
        let plan = generations.plan(Need::Trust, now);
        assert!(plan.is_some_and(|plan| !plan.asks));
        generations.lost();
        assert_eq!(generations.plan(Need::Trust, now), None);
        generations.opened(0, record, now, now);
        assert_eq!(generations.plan(Need::Trust, now), None, "of the lost one");
        generations.opened(1, record, now, now);
        assert!(generations.plan(Need::Trust, now).is_some());
    }
}
