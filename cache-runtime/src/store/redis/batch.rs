//! Natural batching: reads that come while others are on their way go together, as one `MGET`.
//!
//! A connection that is idle sends a read at once, alone. While [`MAX_IN_FLIGHT`] requests are on their way, reads gather; when
//! one of those is answered, what has gathered goes as one. There is no timer: nobody waits for company, only for an answer that
//! is on its way already.
//!
//! A read joins only a batch that was not yet sent. What it is answered was therefore read after it began, as if it had been
//! sent alone.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use redis::aio::ConnectionManager;
use redis::{RedisResult, Value};
use tokio::runtime::Handle;
use tokio::time::timeout_at;
use xxhash_rust::xxh3::xxh3_64;

use super::generation::SlotName;
use crate::lock::lock;
use crate::timer;

/// How many requests of one connection are on their way before reads gather. More than one, so that the server works while
/// answers are taken apart here, and few callers need not wait for each other.
const MAX_IN_FLIGHT: usize = 4;

/// A request that goes alone is polled by its caller, who may have stopped doing that. After this time it stands in nobody's way; a task sees to that.
const STALLED: Duration = Duration::from_millis(20);

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
    /// How many batches are on their way.
    batches: usize,
    /// When each of the requests that go alone was sent.
    alone: Vec<Instant>,
    /// The last of these is open to whoever comes.
    waiting: VecDeque<Arc<Batch>>,
    /// How many bytes a slot has brought lately, on average.
    slot_len: usize,
    /// Whether a task looks after what waits.
    is_guarded: bool,
}

/// How a read goes.
pub(super) enum Place {
    /// Alone, now. To be dropped when it is answered: what has gathered meanwhile follows.
    Alone(Option<InFlight>),
    /// With others: the answer comes here.
    Among(Seat),
}

impl Batches {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// Finds a place for a read on the connection that these are the batches of.
    pub(super) fn board(
        &self,
        name: &SlotName<'_>,
        (now, until): (Instant, Instant),
        manager: &ConnectionManager,
    ) -> Place {
        let mut state = lock(&self.0);
        if state.in_flight() >= MAX_IN_FLIGHT {
            state.pass_over_the_stalled(now);
        }
        if state.in_flight() < MAX_IN_FLIGHT {
            state.alone.push(now);
            return Place::Alone(Some(InFlight {
                batches: self.clone(),
                sent: now,
                manager: manager.clone(),
            }));
        }
        let most = (MAX_BYTES / state.slot_len.max(1)).clamp(1, MAX_SLOTS);
        if let Some(batch) = state.waiting.back()
            && let Some(seat) = batch.board(name, until, most)
        {
            return Place::Among(seat);
        }
        if state.waiting.len() >= MAX_WAITING {
            return Place::Alone(None);
        }
        if !state.is_guarded
            && let Ok(runtime) = Handle::try_current()
        {
            state.is_guarded = true;
            runtime.spawn(self.clone().guard(manager.clone()));
        }
        let batch = Arc::new(Batch::new(now, until));
        let place = match batch.board(name, until, most) {
            Some(seat) => Place::Among(seat),
            None => Place::Alone(None),
        };
        state.waiting.push_back(batch);
        place
    }

    /// Takes the next batch that somebody waits for; without one, a request less is on its way.
    fn next(&self) -> Option<Arc<Batch>> {
        let mut state = lock(&self.0);
        while let Some(batch) = state.waiting.pop_front() {
            if batch.is_awaited() {
                return Some(batch);
            }
        }
        state.batches -= 1;
        None
    }

    /// Sends what waits for requests that nobody polls, and looks again for as long as something waits.
    async fn guard(self, manager: ConnectionManager) {
        loop {
            timer::sleep(STALLED).await;
            {
                let mut state = lock(&self.0);
                let now = Instant::now();
                state.pass_over_the_stalled(now);
                let Some(batch) = state.waiting.front() else {
                    state.is_guarded = false;
                    return;
                };
                let is_stalled = now.saturating_duration_since(batch.begun) >= STALLED;
                if !is_stalled || state.in_flight() >= MAX_IN_FLIGHT {
                    continue;
                }
                state.batches += 1;
            }
            self.clone().run(manager.clone()).await;
        }
    }

    /// Sends batches for as long as reads gather.
    async fn run(self, mut manager: ConnectionManager) {
        while let Some(batch) = self.next() {
            let asking = Asking {
                batches: &self,
                batch: &batch,
                is_over: false,
            };
            let answer = timeout_at(batch.until.into(), batch.ask(&mut manager)).await;
            let timed_out = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
            asking.end(answer.unwrap_or_else(timed_out));
        }
    }

    fn note(&self, bytes: usize, slots: usize) {
        let mut state = lock(&self.0);
        state.slot_len = (state.slot_len * 3 + bytes / slots.max(1)) / 4;
    }
}

impl State {
    /// Requests that go alone and have taken too long count no more.
    fn pass_over_the_stalled(&mut self, now: Instant) {
        self.alone
            .retain(|sent| now.saturating_duration_since(*sent) < STALLED);
    }

    fn in_flight(&self) -> usize {
        self.batches + self.alone.len()
    }
}

/// A request that goes alone, and is on its way.
pub(super) struct InFlight {
    batches: Batches,
    sent: Instant,
    manager: ConnectionManager,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.batches.0);
            if let Some(own) = state.alone.iter().position(|sent| *sent == self.sent) {
                state.alone.swap_remove(own);
            }
            if state.waiting.is_empty() || state.in_flight() >= MAX_IN_FLIGHT {
                return;
            }
            state.batches += 1;
        }
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(self.batches.clone().run(self.manager.clone()))),
            // Dropped elsewhere, or with its runtime: the next of its requests sends what waits.
            Err(_) => lock(&self.batches.0).batches -= 1,
        }
    }
}

/// A batch that was sent. Its readers are told also if the runtime ends before it is answered.
struct Asking<'a> {
    batches: &'a Batches,
    batch: &'a Batch,
    is_over: bool,
}

impl Asking<'_> {
    fn end(mut self, answer: RedisResult<Vec<Value>>) {
        self.is_over = true;
        if let Some((bytes, slots)) = self.batch.answer(answer) {
            self.batches.note(bytes, slots);
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let ended = io::Error::from(io::ErrorKind::BrokenPipe);
            self.batch.answer(Err(ended.into()));
            lock(&self.batches.0).batches -= 1;
        }
    }
}

/// Slots that are read together.
struct Batch {
    begun: Instant,
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
    /// Who waits, and for which of the slots. One who has gone is `None`.
    readers: Vec<Option<Reader>>,
    /// How many of them are there.
    awaited: usize,
    outcome: Option<RedisResult<()>>,
}

struct Slot {
    name: Range<usize>,
    hash: u64,
    readers: usize,
    value: Value,
}

struct Reader {
    slot: usize,
    waker: Option<Waker>,
}

impl Batch {
    fn new(begun: Instant, until: Instant) -> Self {
        Self {
            begun,
            until,
            state: Mutex::default(),
        }
    }

    /// Finds room for a read among at most so many slots.
    fn board(self: &Arc<Self>, name: &SlotName<'_>, until: Instant, most: usize) -> Option<Seat> {
        let mut batch = lock(&self.state);
        let start = batch.names.len();
        name.write_to(&mut batch.names);
        let hash = xxh3_64(batch.names.get(start..)?);
        let same = |slot: &Slot| {
            slot.hash == hash && batch.names.get(slot.name.clone()) == batch.names.get(start..)
        };
        let slot = match batch.slots.iter().position(same) {
            Some(slot) => {
                batch.names.truncate(start);
                slot
            }
            None if batch.slots.len() < most => {
                let name = start..batch.names.len();
                batch.slots.push(Slot {
                    name,
                    hash,
                    readers: 0,
                    value: Value::Nil,
                });
                batch.slots.len() - 1
            }
            None => {
                batch.names.truncate(start);
                return None;
            }
        };
        batch.slots.get_mut(slot)?.readers += 1;
        batch.readers.push(Some(Reader { slot, waker: None }));
        batch.awaited += 1;
        Some(Seat {
            is_pressed: until < self.until,
            reader: batch.readers.len() - 1,
            batch: self.clone(),
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
        let mut wakers = Vec::new();
        let brought = {
            let mut batch = lock(&self.state);
            let brought = match answer {
                Ok(values) => Some(batch.fill(values)),
                Err(error) => {
                    batch.outcome = Some(Err(error));
                    None
                }
            };
            let readers = batch.readers.iter_mut().flatten();
            wakers.extend(readers.filter_map(|reader| reader.waker.take()));
            brought
        };
        for waker in wakers {
            waker.wake();
        }
        brought
    }
}

impl Members {
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

    fn take(&mut self, reader: usize) -> RedisResult<Value> {
        let slot = self.readers.get(reader).and_then(Option::as_ref);
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
    is_pressed: bool,
}

impl Seat {
    /// Whether this reader's own budget ends before that of its batch, so that it needs a clock of its own.
    pub(super) fn is_pressed(&self) -> bool {
        self.is_pressed
    }
}

impl Future for Seat {
    type Output = RedisResult<Value>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut batch = lock(&self.batch.state);
        if batch.outcome.is_some() {
            return Poll::Ready(batch.take(self.reader));
        }
        if let Some(Some(reader)) = batch.readers.get_mut(self.reader) {
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
        let mut batch = lock(&self.batch.state);
        if let Some(reader) = batch.readers.get_mut(self.reader).and_then(Option::take) {
            batch.awaited -= 1;
            drop(batch);
            drop(reader);
        }
    }
}
