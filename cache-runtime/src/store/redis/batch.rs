//! Natural batching: reads that come while others are on their way go together, as one `MGET`.
//!
//! A connection with little to do sends a read at once, alone. From [`MAX_ALONE`] reads on their way, those that come gather. A
//! task sends what has gathered as soon as its thread has nothing else to run, so that everyone who was about to read is among
//! them; at most [`MAX_SENDERS`] of these tasks wait for an answer. There is no timer: nobody waits for company, only for those
//! that run already.
//!
//! A read joins only a batch that was not yet sent. What it is answered was therefore read after it began, as if it had been
//! sent alone.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use redis::aio::ConnectionManager;
use redis::{RedisResult, Value};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::timeout_at;
use xxhash_rust::xxh3::xxh3_64;

use super::generation::SlotName;
use crate::lock::lock;

/// How many reads of one connection are on their way alone before reads gather. The redis crate writes such reads together as well;
/// measured with two workers, an `MGET` costs less from about this many (figures in `BENCHMARKS.md`).
const MAX_ALONE: usize = 16;

/// How many batches of one connection are on their way at a time. More than one, so that the server works while answers are
/// taken apart here; few, so that each carries many.
const MAX_SENDERS: usize = 3;

/// How many slots one batch reads at most.
const MAX_SLOTS: usize = 128;

/// How many bytes one batch is expected to bring at most, by what came lately: so that one large value delays few.
const MAX_BYTES: usize = 256 * 1024;

/// How many batches wait at most. Who comes then goes alone.
const MAX_WAITING: usize = 64;

/// The reads of one connection.
#[derive(Clone)]
pub(super) struct Batches(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// How many reads that go alone are on their way. They are polled by their callers, who may have stopped doing that: nobody
    /// waits for them.
    alone: usize,
    /// How many tasks send.
    senders: usize,
    /// The last of these is open to whoever comes. While there is one, there is a sender that will take it.
    waiting: VecDeque<Arc<Batch>>,
    /// How many bytes a slot has brought lately, on average.
    slot_len: usize,
}

/// Where a read is.
enum Place {
    Alone(Option<InFlight>),
    /// With others: the answer comes here.
    Among(Seat),
}

/// How a read went, or is to go.
pub(super) enum Read {
    /// Alone, now. To be dropped when it is answered.
    Alone(Option<InFlight>),
    /// With others, and its own budget ends before that of its batch: it needs a clock of its own.
    Pressed(Seat),
    /// With others.
    Answered(RedisResult<Value>),
}

impl Batches {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// Finds a place for a read on the connection that these are the batches of, and waits there for the answer.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has left its place. A batch that nobody waits for is not sent.
    pub(super) async fn read(
        &self,
        name: &SlotName<'_>,
        until: Instant,
        manager: &ConnectionManager,
    ) -> Read {
        let mut seat: Option<Seat> = None;
        poll_fn(|context| {
            if let Some(seat) = &mut seat {
                return Pin::new(seat).poll(context).map(Read::Answered);
            }
            match self.board(name, until, manager, context.waker()) {
                Place::Alone(in_flight) => Poll::Ready(Read::Alone(in_flight)),
                Place::Among(own) if until < own.batch.until => Poll::Ready(Read::Pressed(own)),
                Place::Among(own) => {
                    seat = Some(own);
                    Poll::Pending
                }
            }
        })
        .await
    }

    fn board(
        &self,
        name: &SlotName<'_>,
        until: Instant,
        manager: &ConnectionManager,
        reader: &Waker,
    ) -> Place {
        let mut state = lock(&self.0);
        if state.alone < MAX_ALONE && state.senders == 0 {
            state.alone += 1;
            return Place::Alone(Some(InFlight(self.clone())));
        }
        let most = (MAX_BYTES / state.slot_len.max(1)).clamp(1, MAX_SLOTS);
        if let Some(batch) = state.waiting.back()
            && let Some(seat) = batch.board(name, most, reader)
        {
            return Place::Among(seat);
        }
        let Ok(runtime) = Handle::try_current() else {
            return Place::Alone(None);
        };
        if state.waiting.len() >= MAX_WAITING {
            return Place::Alone(None);
        }
        let batch = Arc::new(Batch::new(until));
        let Some(seat) = batch.board(name, most, reader) else {
            return Place::Alone(None);
        };
        state.waiting.push_back(batch);
        if state.senders < MAX_SENDERS {
            state.senders += 1;
            drop(state);
            let sender = Sender {
                batches: self.clone(),
                batch: None,
                is_over: false,
            };
            runtime.spawn(sender.send(manager.clone()));
        }
        Place::Among(seat)
    }

    /// Takes the next batch that somebody waits for; without one, there is a sender less.
    fn next(&self) -> Option<Arc<Batch>> {
        let mut state = lock(&self.0);
        while let Some(batch) = state.waiting.pop_front() {
            if batch.is_awaited() {
                return Some(batch);
            }
        }
        state.senders -= 1;
        None
    }

    fn note(&self, bytes: usize, slots: usize) {
        let mut state = lock(&self.0);
        state.slot_len = (state.slot_len * 3 + bytes / slots.max(1)) / 4;
    }
}

/// A read that goes alone, and is on its way.
pub(super) struct InFlight(Batches);

impl Drop for InFlight {
    fn drop(&mut self) {
        lock(&self.0.0).alone -= 1;
    }
}

/// A task that sends batches for as long as reads gather.
struct Sender {
    batches: Batches,
    /// The one that is on its way.
    batch: Option<Arc<Batch>>,
    is_over: bool,
}

impl Sender {
    async fn send(mut self, mut manager: ConnectionManager) {
        loop {
            // Those who run now, such as the readers that were just answered, come along with the next.
            yield_now().await;
            let Some(batch) = self.batches.next() else {
                self.is_over = true;
                return;
            };
            let batch = self.batch.insert(batch);
            let answer = timeout_at(batch.until.into(), batch.ask(&mut manager)).await;
            let timed_out = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
            if let Some((bytes, slots)) = batch.answer(answer.unwrap_or_else(timed_out)) {
                self.batches.note(bytes, slots);
            }
            self.batch = None;
        }
    }
}

/// Ended before its time, as with its runtime, a sender tells everyone who waits.
impl Drop for Sender {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let waiting = {
            let mut state = lock(&self.batches.0);
            state.senders -= 1;
            std::mem::take(&mut state.waiting)
        };
        for batch in self.batch.iter().chain(&waiting) {
            let ended = io::Error::from(io::ErrorKind::BrokenPipe);
            batch.answer(Err(ended.into()));
        }
    }
}

/// Slots that are read together.
struct Batch {
    /// When its answer must be there: when the budget of its first reader ends. Those who came later have a little more, and
    /// need no clock of their own.
    until: Instant,
    state: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    /// The names, one after the other.
    names: Vec<u8>,
    slots: Vec<Slot>,
    /// Of their names, beside each other because each who boards looks through them.
    hashes: Vec<u64>,
    /// Who waits, and for which of the slots. One who has gone is `None`.
    readers: Vec<Option<Reader>>,
    /// How many of them are there.
    awaited: usize,
    outcome: Option<RedisResult<()>>,
}

struct Slot {
    name: Range<usize>,
    readers: usize,
    value: Value,
}

struct Reader {
    slot: usize,
    waker: Option<Waker>,
}

impl Batch {
    fn new(until: Instant) -> Self {
        Self {
            until,
            state: Mutex::default(),
        }
    }

    /// Finds room for a read among at most so many slots.
    fn board(self: &Arc<Self>, name: &SlotName<'_>, most: usize, reader: &Waker) -> Option<Seat> {
        let mut batch = lock(&self.state);
        let slot = batch.slot(name, most)?;
        batch.slots.get_mut(slot)?.readers += 1;
        batch.readers.push(Some(Reader {
            slot,
            waker: Some(reader.clone()),
        }));
        batch.awaited += 1;
        Some(Seat {
            reader: batch.readers.len() - 1,
            batch: self.clone(),
            has_left: false,
        })
    }

    fn is_awaited(&self) -> bool {
        lock(&self.state).awaited > 0
    }

    async fn ask(&self, manager: &mut ConnectionManager) -> RedisResult<Vec<Value>> {
        let (command, is_one) = {
            let batch = lock(&self.state);
            let is_one = batch.slots.len() == 1;
            let mut command = redis::cmd(if is_one { "GET" } else { "MGET" });
            for slot in &batch.slots {
                command.arg(batch.names.get(slot.name.clone()).unwrap_or_default());
            }
            (command, is_one)
        };
        let answer = super::nothing_of_ours(command.query_async(manager).await)?;
        Ok(match answer {
            answer if is_one => vec![answer],
            Value::Array(answers) => answers,
            // Told to the readers as what it is: no answer to what was asked.
            _ => Vec::new(),
        })
    }

    /// Hands out the answers, and tells how many bytes came for how many slots.
    fn answer(&self, answer: RedisResult<Vec<Value>>) -> Option<(usize, usize)> {
        let (brought, readers) = {
            let mut batch = lock(&self.state);
            let brought = match answer {
                Ok(values) => Some(batch.fill(values)),
                Err(error) => {
                    batch.outcome = Some(Err(error));
                    None
                }
            };
            (brought, batch.wakers())
        };
        for reader in readers {
            reader.wake();
        }
        brought
    }
}

impl Members {
    /// The slot of this name, which is added if there is room.
    fn slot(&mut self, name: &SlotName<'_>, most: usize) -> Option<usize> {
        let start = self.names.len();
        name.write_to(&mut self.names);
        let own = self.names.get(start..)?;
        let hash = xxh3_64(own);
        let same = self.hashes.iter().position(|of| *of == hash);
        let same = same.filter(|slot| {
            let slot = self.slots.get(*slot);
            slot.is_some_and(|slot| self.names.get(slot.name.clone()) == Some(own))
        });
        if same.is_some() || self.slots.len() >= most {
            self.names.truncate(start);
            return same;
        }
        self.hashes.push(hash);
        self.slots.push(Slot {
            name: start..self.names.len(),
            readers: 0,
            value: Value::Nil,
        });
        Some(self.slots.len() - 1)
    }

    fn wakers(&mut self) -> Vec<Waker> {
        let readers = self.readers.iter_mut().flatten();
        readers.filter_map(|reader| reader.waker.take()).collect()
    }

    fn fill(&mut self, values: Vec<Value>) -> (usize, usize) {
        self.outcome = Some(Ok(()));
        let is_whole = values.len() == self.slots.len();
        let mut bytes = 0;
        let mut values = values.into_iter();
        for slot in &mut self.slots {
            // A wrong number of answers is no answer to any.
            slot.value = match values.next() {
                Some(value) if is_whole => value,
                _ => Value::Okay,
            };
            if let Value::BulkString(value) = &slot.value {
                bytes += value.len();
            }
        }
        (bytes, self.slots.len())
    }

    /// What a reader has come for. It leaves.
    fn take(&mut self, reader: usize) -> RedisResult<Value> {
        let slot = self.readers.get_mut(reader).and_then(Option::take);
        let slot = slot.and_then(|reader| self.slots.get_mut(reader.slot));
        match (&self.outcome, slot) {
            (Some(Err(error)), _) => Err(error.clone()),
            (_, Some(slot)) if slot.readers > 1 => {
                slot.readers -= 1;
                Ok(slot.value.clone())
            }
            (_, Some(slot)) => Ok(std::mem::replace(&mut slot.value, Value::Okay)),
            (_, None) => Ok(Value::Okay),
        }
    }
}

/// The place of one reader in a batch: a future of what its slot holds.
pub(super) struct Seat {
    batch: Arc<Batch>,
    reader: usize,
    has_left: bool,
}

impl Future for Seat {
    type Output = RedisResult<Value>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let own = &mut *self;
        let mut batch = lock(&own.batch.state);
        if batch.outcome.is_some() {
            own.has_left = true;
            return Poll::Ready(batch.take(own.reader));
        }
        if let Some(Some(reader)) = batch.readers.get_mut(own.reader) {
            match &mut reader.waker {
                Some(waker) => waker.clone_from(context.waker()),
                none => *none = Some(context.waker().clone()),
            }
        }
        Poll::Pending
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.has_left {
            return;
        }
        let mut batch = lock(&self.batch.state);
        if let Some(reader) = batch.readers.get_mut(self.reader).and_then(Option::take) {
            batch.awaited -= 1;
            drop(batch);
            drop(reader);
        }
    }
}
