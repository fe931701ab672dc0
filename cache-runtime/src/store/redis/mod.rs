//! The Redis store: slots in a Redis server, shared by every process that names it.

mod batch;
mod census;
mod connection;
mod fleet;
mod generation;
mod many;
mod pattern;
mod script;
mod tracking;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fmt, io};

use redis::aio::ConnectionManager;
use redis::{
    Cmd, ErrorKind as RedisErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind,
    Value,
};

use tokio::sync::Notify;

use super::local::{LocalTier, Stamp};
use super::{Kept, Payload};
use crate::backoff::backoff;
use crate::breaker::Breaker;
use crate::budget::Budget;
use crate::changes::{Changed, Changes};
use crate::error::{CacheError, ErrorKind};
use crate::key::RenderedKey;
use crate::outcome::CacheValue;
use crate::race::both;
use crate::seldom::Seldom;
use crate::slot::{Reply, Step};
use crate::solo::Solo;
use crate::timer;

use batch::Read;
use connection::{Connection, Connections};
use tracking::Is;

use generation::{Generation, Generations, Need, Plan, Record, SETTLE, SlotName, Verdict};
use script::Scripts;
pub(crate) use wire::read as read_slot;

/// Slots in a Redis server. A read is one `GET`, every other step one script on one key.
pub(crate) struct RedisStore {
    connections: Connections,
    scripts: Scripts,
    breaker: Breaker,
    prober: Solo,
    closed: Notify,
    detached: AtomicBool,
    generations: Generations,
    /// The key of the generation's record.
    record: Box<[u8]>,
    /// The key of the record of the fleet's switch.
    switch: Box<[u8]>,
    /// How much of a key the namespace and the number of the epoch are.
    epoch_len: usize,
    local: Arc<LocalTier>,
    changes: Arc<Changes>,
    /// The refusals that are told of.
    refused: Seldom,
}

/// How long a refusal is not told of again, nor a record that cannot be read.
pub(crate) const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// How long one probe may take. Longer than a call's budget: nobody waits for it.
const PROBE: Duration = Duration::from_secs(1);

/// How long it may take to put on record that a generation is settled, where nothing is left of the budget.
const RECORDING: Duration = Duration::from_millis(100);

/// How often one step is carried out again because the epoch has moved under it.
const MAX_ROUNDS: usize = 4;

impl RedisStore {
    /// `epoch` is the namespace and the number of the epoch, as they stand in front of every key.
    pub(crate) fn new(
        client: redis::Client,
        (namespace, epoch): (&str, &str),
        local: LocalTier,
        changes: Arc<Changes>,
    ) -> Self {
        let local = Arc::new(local);
        Self {
            generations: Generations::new(local.clone(), changes.clone()),
            changes,
            record: format!("{epoch}:epoch").into_bytes().into(),
            // A number stands there in every other key of the namespace.
            switch: format!("{namespace}:%switch").into_bytes().into(),
            epoch_len: epoch.len(),
            connections: Connections::new(client, local.clone(), epoch.as_bytes()),
            local,
            scripts: Scripts::new(),
            breaker: Breaker::default(),
            prober: Solo::default(),
            closed: Notify::new(),
            detached: AtomicBool::new(false),
            refused: Seldom::once_in(BETWEEN_WARNINGS),
        }
    }

    /// Where the server is. No secret stands in it.
    pub(crate) fn address(&self) -> String {
        self.connections.address()
    }

    pub(crate) fn is_breaker_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// Whether Redis tells of changes. Asks it to if nobody has, and waits until it has answered.
    pub(crate) async fn is_telling(self: &Arc<Self>) -> bool {
        loop {
            match self.tracking() {
                Some(Is::On) => return true,
                Some(Is::Refused) => return false,
                Some(Is::Off | Is::Asked | Is::Over) | None => {}
            }
            timer::sleep(Duration::from_millis(5)).await;
        }
    }

    /// One command that is no step, whatever the breaker says. An answer takes at most a [`PROBE`].
    pub(crate) async fn command<T: FromRedisValue>(&self, command: Cmd) -> Result<T, CacheError> {
        self.is_attached()?;
        let connection = self.connections.get().await?;
        let mut manager = connection.manager().clone();
        let asking = command.query_async(&mut manager);
        self.answer(&connection, Instant::now() + PROBE, asking)
            .await
    }

    /// Whether this thread has a runtime that is known to be of no use: without its drivers.
    pub(crate) fn is_out_of_place(&self) -> bool {
        let connection = self.connections.current();
        connection.is_some_and(|connection| connection.lacks_drivers())
    }

    /// Waits until the breaker closes the next time.
    pub(crate) async fn recovered(&self) {
        self.closed.notified().await;
    }

    /// Whether the store may be contacted at all.
    pub(crate) fn set_detached(&self, detached: bool) {
        self.detached.store(detached, Ordering::SeqCst);
    }

    /// Carries out one step of the table. An answer takes at most `budget`; where a mutation comes upon an epoch that has just
    /// moved, it waits [`SETTLE`](generation::SETTLE) on top of that.
    pub(crate) async fn apply(
        self: &Arc<Self>,
        key: &RenderedKey,
        step: Step<Payload>,
        ttl: Duration,
        budget: Budget,
    ) -> Result<Reply<Payload>, CacheError> {
        if Need::of(&step) != Need::Proof {
            return self.carry_through(key, step, ttl, budget).await;
        }
        // Also if it fails: it may be carried out all the same.
        self.local.forget(self.own(key));
        let result = self.carry_through(key, step, ttl, budget).await;
        // What was asked for before it was carried out must not be kept either.
        self.local.forget(self.own(key));
        result
    }

    async fn carry_through(
        self: &Arc<Self>,
        key: &RenderedKey,
        step: Step<Payload>,
        ttl: Duration,
        budget: Budget,
    ) -> Result<Reply<Payload>, CacheError> {
        self.admit()?;
        let (sent, until) = (budget.from, budget.until());
        let result = match self.generations.plan(Need::of(&step), sent) {
            Some(plan) if !plan.asks && matches!(step, Step::Read) => {
                self.look(key, plan.generation, until).await
            }
            // Boxed: all else is rare beside a look, and its future several times as large.
            plan => Box::pin(self.carry_out(key, &step, ttl, plan, sent, until)).await,
        };
        self.note(&result);
        result
    }

    /// A key as the local tier knows it: without what stands in front of every key.
    pub(crate) fn own<'k>(&self, key: &'k RenderedKey) -> &'k [u8] {
        key.as_bytes().get(self.epoch_len + 1..).unwrap_or_default()
    }

    /// What `make` makes of the value that the local tier has, if that is of this type and version.
    #[inline]
    pub(crate) fn hit<T: CacheValue, R>(
        &self,
        key: &[u8],
        version: u32,
        make: impl Fn(Option<T>) -> Option<R>,
    ) -> Option<R> {
        let key = key.get(self.epoch_len + 1..).unwrap_or_default();
        self.local.hit(key, version, make)
    }

    /// To be taken before a value is asked for that is to be kept in the local tier; `None` where nothing is to be kept now.
    pub(crate) fn stamp(self: &Arc<Self>, key: &RenderedKey) -> Option<Stamp> {
        // Before it is known whether changes are told of: a gap after this is noticed when the value is to be kept.
        let stamp = self.local.stamp(self.own(key));
        matches!(self.tracking()?, Is::On | Is::Refused).then_some(stamp)
    }

    /// The same where every change of the key will be told of.
    pub(crate) fn tracked(self: &Arc<Self>, key: &RenderedKey) -> Option<Stamp> {
        let stamp = self.local.stamp(self.own(key));
        (self.tracking()? == Is::On).then_some(stamp)
    }

    /// Waits until a key may have changed.
    pub(crate) async fn changed(&self, key: &RenderedKey, stamp: Stamp) {
        self.local.changed(self.own(key), stamp).await;
    }

    /// Keeps a value in the local tier, unless its key may have changed since the stamp was taken.
    pub(crate) fn keep<T: CacheValue>(
        &self,
        key: &RenderedKey,
        value: Option<T>,
        (version, len): (u32, usize),
        stamp: Stamp,
        ttl: Duration,
    ) {
        let key = self.own(key);
        let kept = Kept::new(key, value, version, key.len() + len);
        self.local.keep(key, kept, stamp, ttl);
    }

    /// Whether changes are told of on the connection of this runtime. Asks for that if nobody has.
    fn tracking(self: &Arc<Self>) -> Option<Is> {
        let connection = self.connections.current()?;
        let is = connection.tracking().is();
        if let Some(asked) = connection.tracking().ask() {
            let store = self.clone();
            let runtime = tokio::runtime::Handle::try_current().ok()?;
            runtime.spawn(async move {
                let is = store.ask_for_tracking(&connection).await;
                connection.tracking().answered(asked, is);
            });
        }
        Some(is)
    }

    /// Asks to be told of changes, of the record of the generation among them.
    async fn ask_for_tracking(&self, connection: &Connection) -> Is {
        let contact = self.generations.contact();
        let mut manager = connection.manager().clone();
        let mut both = redis::pipe();
        both.cmd("CLIENT").arg("TRACKING").arg("ON").ignore();
        both.cmd("GETRANGE").arg(&*self.record).arg(0).arg(-1);
        let sent = Instant::now();
        let asking = both.query_async::<Vec<Value>>(&mut manager);
        match tokio::time::timeout(PROBE, asking).await {
            Ok(Ok(texts)) => match texts.first().and_then(Record::read) {
                Some(record) => {
                    self.generations
                        .opened(contact, record, sent, Instant::now());
                    Is::On
                }
                // Made by the next read.
                None => Is::Off,
            },
            Ok(Err(error)) if error.code().is_some() => {
                let error = error.to_string();
                self.changes.note(Changed::NotTold { error }, None);
                Is::Refused
            }
            Ok(Err(_)) | Err(_) => Is::Off,
        }
    }

    /// Moves the namespace to a new generation, and waits until no process reads under an older one.
    pub(crate) async fn advance(self: &Arc<Self>, limit: Duration) -> Result<(), CacheError> {
        self.admit()?;
        let until = Instant::now() + limit;
        let opened = self.open(true, until).await;
        self.note(&opened);
        self.settle(opened?.generation, Instant::now() + SETTLE, until)
            .await;
        Ok(())
    }

    /// Whether the store may be contacted.
    fn is_attached(&self) -> Result<(), CacheError> {
        if self.detached.load(Ordering::Relaxed) {
            return Err(CacheError::new(ErrorKind::Off));
        }
        Ok(())
    }

    /// Whether the store is to be asked at all.
    fn admit(self: &Arc<Self>) -> Result<(), CacheError> {
        self.is_attached()?;
        if self.breaker.is_open() {
            self.probe();
            return Err(CacheError::new(ErrorKind::BreakerOpen));
        }
        Ok(())
    }

    /// Tells the breaker.
    fn note<T>(self: &Arc<Self>, result: &Result<T, CacheError>) {
        match result {
            Err(error) if says_nothing(error.kind()) => {
                if self.breaker.failed() {
                    let error = error.to_string();
                    self.changes.note(Changed::BreakerOpened { error }, None);
                    self.probe();
                }
            }
            Err(error) => {
                self.breaker.succeeded();
                self.warn_of_refusal(error);
            }
            Ok(_) => self.breaker.succeeded(),
        }
    }

    /// Reads a slot under a generation that is trusted: by one `GET`, or with others that read at the same time.
    async fn look(
        &self,
        key: &RenderedKey,
        generation: Generation,
        until: Instant,
    ) -> Result<Reply<Payload>, CacheError> {
        let connection = self.connections.get().await?;
        let slot = self.slot(key, generation);
        let read = connection
            .batches()
            .read(&slot, until, connection.manager())
            .await;
        let answer = match read {
            Read::Answered(answer) => self.answered(&connection, answer)?,
            Read::Pressed(seat) => self.answer(&connection, until, seat).await?,
            Read::Alone(in_flight) => {
                // Boxed: the redis crate's future is far larger than the rest of a look.
                let answer = Box::pin(self.look_alone(&connection, &slot, until)).await;
                drop(in_flight);
                answer?
            }
        };
        reply(&Step::Read, answer).ok_or_else(|| self.out_of_step(&connection))
    }

    async fn look_alone(
        &self,
        connection: &Connection,
        slot: &SlotName<'_>,
        until: Instant,
    ) -> Result<Value, CacheError> {
        let mut manager = connection.manager().clone();
        let asking = async { nothing_of_ours(read(slot).query_async(&mut manager).await) };
        self.answer(connection, until, asking).await
    }

    /// Carries out a step by a plan, and again until the generation it was carried out under is in force.
    async fn carry_out(
        &self,
        key: &RenderedKey,
        step: &Step<Payload>,
        ttl: Duration,
        mut plan: Option<Plan>,
        mut sent: Instant,
        until: Instant,
    ) -> Result<Reply<Payload>, CacheError> {
        for _ in 0..MAX_ROUNDS {
            if let Some(plan) = plan {
                let slot = self.slot(key, plan.generation);
                if let Some(reply) = self.attempt(&slot, step, ttl, plan, sent, until).await? {
                    return Ok(reply);
                }
            } else {
                self.open(false, until).await?;
            }
            sent = Instant::now();
            plan = self.generations.plan(Need::of(step), sent);
        }
        Err(CacheError::because(
            ErrorKind::Rejected,
            "the epoch moved each time it was asked",
        ))
    }

    /// Carries out a step by a plan; `None` if it was carried out under a generation that is not in force.
    async fn attempt(
        &self,
        slot: &SlotName<'_>,
        step: &Step<Payload>,
        ttl: Duration,
        plan: Plan,
        sent: Instant,
        until: Instant,
    ) -> Result<Option<Reply<Payload>>, CacheError> {
        let connection = self.connections.get().await?;
        let asking = self.ask_slot(connection.manager().clone(), slot, step, ttl);
        let (answer, text) = if plan.asks {
            let both = both(asking, self.ask_record(connection.manager().clone()));
            let both = async {
                let (answer, text) = both.await;
                Ok((answer?, text?))
            };
            self.answer(&connection, until, both).await?
        } else {
            (self.answer(&connection, until, asking).await?, Value::Nil)
        };
        let reply = reply(step, answer).ok_or_else(|| self.out_of_step(&connection))?;
        if !plan.asks {
            return Ok(Some(reply));
        }
        let verdict = self
            .generations
            .verdict(plan, Record::read(&text), sent, Instant::now());
        match verdict {
            Verdict::Settles(moment) if Need::of(step) == Need::Proof => {
                self.settle(plan.generation, moment, until).await;
            }
            Verdict::Holds | Verdict::Settles(_) => {}
            Verdict::Moved => return Ok(None),
            Verdict::Gone => {
                self.open(false, until).await?;
                return Ok(None);
            }
        }
        Ok(Some(reply))
    }

    /// How long the value under a key lives on, under the epoch that this process knows.
    pub(crate) async fn ttl_left(&self, key: &RenderedKey) -> Option<Duration> {
        let plan = self.generations.plan(Need::Nothing, Instant::now())?;
        let mut command = redis::cmd("PTTL");
        command.arg(self.slot(key, plan.generation));
        let left: i64 = self.command(command).await.ok()?;
        // Negative where there is none, or no end.
        u64::try_from(left).ok().map(Duration::from_millis)
    }

    fn slot<'a>(&self, key: &'a RenderedKey, generation: Generation) -> SlotName<'a> {
        SlotName {
            key,
            epoch_len: self.epoch_len,
            generation,
        }
    }

    async fn ask_slot(
        &self,
        mut manager: ConnectionManager,
        slot: &SlotName<'_>,
        step: &Step<Payload>,
        ttl: Duration,
    ) -> RedisResult<Value> {
        if let Some(script) = self.scripts.of_step(slot, step, ttl) {
            return script.invoke_async(&mut manager).await;
        }
        let command = if matches!(step, Step::Read) {
            read(slot)
        } else {
            let mut command = redis::cmd("UNLINK");
            command.arg(slot);
            command
        };
        nothing_of_ours(command.query_async(&mut manager).await)
    }

    async fn ask_record(&self, mut manager: ConnectionManager) -> RedisResult<Value> {
        // Not a `GET`: those are the reads of slots, and counted as such by who watches a server.
        let mut command = redis::cmd("GETRANGE");
        command.arg(&*self.record).arg(0).arg(-1);
        nothing_of_ours(command.query_async(&mut manager).await)
    }

    /// Reads the record of the generation where it may be missing, or belong to another server; with `moves`, makes it anew.
    async fn open(&self, moves: bool, until: Instant) -> Result<Record, CacheError> {
        let contact = self.generations.contact();
        let connection = self.connections.get().await?;
        let mut manager = connection.manager().clone();
        let script = self.scripts.open(&self.record, moves);
        let sent = Instant::now();
        let text = self
            .answer(&connection, until, script.invoke_async(&mut manager))
            .await?;
        // Most likely damaged on its way: not a reason to move the epoch of everyone.
        let record = Record::read(&text).ok_or_else(|| self.out_of_step(&connection))?;
        self.generations
            .opened(contact, record, sent, Instant::now());
        Ok(record)
    }

    /// Waits until everyone has seen a generation, and puts that on record, so that the next process need not wait.
    async fn settle(&self, generation: Generation, moment: Instant, until: Instant) {
        timer::sleep(moment.saturating_duration_since(Instant::now())).await;
        let until = until.max(Instant::now() + RECORDING);
        let Ok(connection) = self.connections.get().await else {
            return;
        };
        let mut manager = connection.manager().clone();
        let script = self.scripts.settle(&self.record, generation);
        let asking = script.invoke_async::<Value>(&mut manager);
        // Left undone, another process waits once more, that is all.
        if self.answer(&connection, until, asking).await.is_ok() {
            self.generations.settled(generation);
        }
    }

    /// A server that answers with errors (a wrong password, no memory) stays asked, and is told of once in a while.
    fn warn_of_refusal(&self, error: &CacheError) {
        if self.refused.is_due() {
            let error = error.to_string();
            self.changes.note(Changed::Refused { error }, None);
        }
    }

    async fn answer<T>(
        &self,
        connection: &Connection,
        until: Instant,
        asking: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, CacheError> {
        let timed_out = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
        let answer = tokio::time::timeout_at(until.into(), asking).await;
        self.answered(connection, answer.unwrap_or_else(timed_out))
    }

    /// Notes what came of a question.
    fn answered<T>(
        &self,
        connection: &Connection,
        answer: RedisResult<T>,
    ) -> Result<T, CacheError> {
        let error = match answer {
            Ok(answer) => {
                Connections::succeeded(connection);
                return Ok(answer);
            }
            Err(error) => error,
        };
        let is_well = is_of_one_command(&error);
        let error = translate(error);
        if says_nothing(error.kind()) {
            self.generations.lost();
            connection.tracking().gap();
        }
        if is_well {
            Connections::succeeded(connection);
        } else {
            self.connections.failed(connection);
        }
        Err(error)
    }

    /// What was answered is no answer to what was asked: nor would be what comes after it on this connection.
    fn out_of_step(&self, connection: &Connection) -> CacheError {
        self.connections.replace(connection);
        self.generations.lost();
        CacheError::new(ErrorKind::Garbled)
    }

    /// Starts the task that asks an open store now and then whether it is back, unless it runs.
    pub(crate) fn probe(self: &Arc<Self>) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let Some(turn) = self.prober.begin() else {
            return;
        };
        let store = self.clone();
        runtime.spawn(async move {
            let mut delays = backoff();
            while store.breaker.is_open() && turn.go_on() {
                timer::sleep(delays.next().unwrap_or(PROBE)).await;
                if store.detached.load(Ordering::Relaxed) {
                    return;
                }
                if store.is_back().await {
                    store.breaker.close();
                    store.changes.note(Changed::BreakerClosed, None);
                    store.closed.notify_waiters();
                }
            }
        });
    }

    async fn is_back(&self) -> bool {
        let Ok(connection) = self.connections.get().await else {
            return false;
        };
        let mut manager = connection.manager().clone();
        let asking = async { redis::cmd("PING").query_async(&mut manager).await };
        let answer = self
            .answer(&connection, Instant::now() + PROBE, asking)
            .await;
        let is_back = matches!(answer, Ok(Value::SimpleString(_)));
        if !is_back {
            // What the old connection still holds is lost with it.
            self.connections.replace(&connection);
        }
        is_back
    }
}

/// What an answer means; `None` if it is no answer to this step.
fn reply(step: &Step<Payload>, answer: Value) -> Option<Reply<Payload>> {
    match (step, answer) {
        (Step::Read, Value::Nil) => Some(Reply::Miss),
        (Step::Acquire { .. }, Value::Nil) => Some(Reply::Granted),
        (Step::Read | Step::Acquire { .. }, Value::BulkString(slot)) => Some(wire::read(slot)),
        (Step::Read | Step::Acquire { .. }, _) => None,
        (Step::Expire, Value::Int(_)) | (_, Value::Int(1)) => Some(Reply::Done),
        (_, Value::Int(0)) => Some(Reply::Refused),
        _ => None,
    }
}

/// Whether it is one command that is refused. The connection that tells so is well.
fn is_of_one_command(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOPERM" | "WRONGTYPE"))
}

/// Whether an error tells that the store is not there, rather than that it refused.
fn says_nothing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Garbled
    )
}

fn read(slot: &SlotName<'_>) -> redis::Cmd {
    let mut command = redis::cmd("GET");
    command.arg(slot);
    command
}

/// A key of another type is not ours, so as good as empty.
fn nothing_of_ours(answer: RedisResult<Value>) -> RedisResult<Value> {
    match answer {
        Err(error) if error.code() == Some("WRONGTYPE") => Ok(Value::Nil),
        answer => answer,
    }
}

fn translate(error: RedisError) -> CacheError {
    let kind = match error.kind() {
        RedisErrorKind::Io if error.is_timeout() => return CacheError::new(ErrorKind::Timeout),
        RedisErrorKind::Io => ErrorKind::Unavailable,
        RedisErrorKind::Parse | RedisErrorKind::UnexpectedReturnType => ErrorKind::Garbled,
        RedisErrorKind::Server(ServerErrorKind::ResponseError) => ErrorKind::Rejected,
        _ if error.is_connection_dropped() || error.is_connection_refusal() => {
            ErrorKind::Unavailable
        }
        _ => ErrorKind::Rejected,
    };
    CacheError::because(kind, error)
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisStore")
    }
}
