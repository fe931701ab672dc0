//! The Redis store: slots in a Redis server, shared by every process that names it.

mod connection;
mod wire;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{ErrorKind as RedisErrorKind, RedisError, Script, ServerErrorKind, Value};

use tokio::sync::Notify;

use super::Payload;
use crate::backoff::backoff;
use crate::breaker::Breaker;
use crate::error::{CacheError, ErrorKind};
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::slot::{Fence, Reply, Step};
use crate::solo::Solo;
use crate::timer;

use connection::{Connection, Connections};
pub(crate) use wire::read as read_slot;

/// Slots in a Redis server. A read is one `GET`, every other step one script on one key.
pub(crate) struct RedisStore {
    connections: Connections,
    scripts: Scripts,
    breaker: Breaker,
    prober: Solo,
    closed: Notify,
    detached: AtomicBool,
    /// When a refusal was last told of.
    refused: Mutex<Option<Instant>>,
}

/// How long a refusal is not told of again.
const BETWEEN_WARNINGS: Duration = Duration::from_secs(60);

/// How long one probe may take. Longer than a call's budget: nobody waits for it.
const PROBE: Duration = Duration::from_secs(1);

macro_rules! scripts {
    ($($name:ident: $($part:literal),+;)*) => {
        struct Scripts {
            $($name: Script,)*
        }

        impl Scripts {
            fn new() -> Self {
                Self {
                    $($name: Script::new(concat!($(include_str!(concat!("scripts/", $part, ".lua"))),+)),)*
                }
            }
        }
    };
}
scripts! {
    acquire: "acquire";
    renew: "renew";
    replace: "replace";
    release: "release";
    invalidate: "fence", "invalidate";
    raise: "fence", "raise";
    hold: "fence", "hold";
    lower: "fence", "lower";
    put: "fence", "put";
}

impl RedisStore {
    pub(crate) fn new(client: redis::Client) -> Self {
        Self {
            connections: Connections::new(client),
            scripts: Scripts::new(),
            breaker: Breaker::default(),
            prober: Solo::default(),
            closed: Notify::new(),
            detached: AtomicBool::new(false),
            refused: Mutex::new(None),
        }
    }

    /// Waits until the breaker closes the next time.
    pub(crate) async fn recovered(&self) {
        self.closed.notified().await;
    }

    /// Whether the store may be contacted at all.
    pub(crate) fn set_detached(&self, detached: bool) {
        self.detached.store(detached, Ordering::SeqCst);
    }

    /// Carries out one step of the table within `limit`.
    pub(crate) async fn apply(
        self: &Arc<Self>,
        key: &RenderedKey,
        step: Step<Payload>,
        ttl: Duration,
        limit: Duration,
    ) -> Result<Reply<Payload>, CacheError> {
        if self.detached.load(Ordering::Relaxed) {
            return Err(CacheError::new(ErrorKind::Off));
        }
        if self.breaker.is_open() {
            self.probe();
            return Err(CacheError::new(ErrorKind::BreakerOpen));
        }
        let connection = self.connections.get().await?;
        let mut manager = connection.manager.clone();
        let answer = self
            .answer(&connection, limit, async {
                if let Some(script) = self.script_of(key, &step, ttl) {
                    return script.invoke_async(&mut manager).await;
                }
                let command = if matches!(step, Step::Read) {
                    "GET"
                } else {
                    "UNLINK"
                };
                redis::cmd(command)
                    .arg(key.as_bytes())
                    .query_async(&mut manager)
                    .await
            })
            .await;
        let result = answer.and_then(|answer| reply(&step, answer));
        match &result {
            Err(error) if says_nothing(error.kind()) => {
                if self.breaker.failed() {
                    tracing::warn!(%error, "the cache's breaker opens: calls go to the source until Redis answers");
                    self.probe();
                }
            }
            Err(error) => {
                self.breaker.succeeded();
                self.warn_of_refusal(error);
            }
            Ok(_) => self.breaker.succeeded(),
        }
        result
    }

    /// A server that answers with errors (a wrong password, no memory) stays asked, and is told of once in a while.
    fn warn_of_refusal(&self, error: &CacheError) {
        let mut last = lock(&self.refused);
        if last.is_none_or(|last| last.elapsed() >= BETWEEN_WARNINGS) {
            *last = Some(Instant::now());
            tracing::warn!(%error, "Redis refuses what the cache asks: such calls go to the source");
        }
    }

    async fn answer(
        &self,
        connection: &Connection,
        limit: Duration,
        asking: impl Future<Output = redis::RedisResult<Value>>,
    ) -> Result<Value, CacheError> {
        let error = match tokio::time::timeout(limit, asking).await {
            Ok(Ok(answer)) => {
                Connections::succeeded(connection);
                return Ok(answer);
            }
            Ok(Err(error)) if is_wrong_type(&error) => {
                // A key of another type: not ours, so as good as empty.
                Connections::succeeded(connection);
                return Ok(Value::Nil);
            }
            Ok(Err(error)) => translate(error),
            Err(_) => CacheError::new(ErrorKind::Timeout),
        };
        self.connections.failed(connection);
        Err(error)
    }

    /// Starts the task that asks an open store now and then whether it is back, unless it runs.
    fn probe(self: &Arc<Self>) {
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
                    tracing::info!("the cache's breaker closes: Redis answers");
                    store.breaker.close();
                    store.closed.notify_waiters();
                }
            }
        });
    }

    async fn is_back(&self) -> bool {
        let Ok(connection) = self.connections.get().await else {
            return false;
        };
        let mut manager = connection.manager.clone();
        let asking = async { redis::cmd("PING").query_async(&mut manager).await };
        let answer = self.answer(&connection, PROBE, asking).await;
        let is_back = matches!(answer, Ok(Value::SimpleString(_)));
        if !is_back {
            // What the old connection still holds is lost with it.
            self.connections.replace(&connection);
        }
        is_back
    }

    /// The script of a step and its arguments; `None` for the two steps that are plain commands.
    fn script_of(
        &self,
        key: &RenderedKey,
        step: &Step<Payload>,
        ttl: Duration,
    ) -> Option<redis::ScriptInvocation<'_>> {
        let scripts = &self.scripts;
        let milliseconds = u64::try_from(ttl.as_millis())
            .unwrap_or(u64::MAX)
            .clamp(1, MAX_MILLISECONDS);
        let script = match step {
            Step::Read | Step::Expire => return None,
            Step::Acquire { .. } => &scripts.acquire,
            Step::Renew(_) => &scripts.renew,
            Step::Fill(..) | Step::Refresh { .. } => &scripts.replace,
            Step::Release(_) => &scripts.release,
            Step::Invalidate => &scripts.invalidate,
            Step::Raise(_) => &scripts.raise,
            Step::Hold(_) => &scripts.hold,
            Step::Lower(_) => &scripts.lower,
            Step::Put(..) => &scripts.put,
        };
        let mut call = script.key(key.as_bytes());
        match step {
            Step::Read | Step::Invalidate | Step::Expire => {}
            Step::Acquire { lease, over } => {
                let over = over.as_ref().map_or(&[][..], |token| token.as_bytes());
                call.arg(&lease.as_bytes()[..]).arg(milliseconds).arg(over);
            }
            Step::Renew(token) => {
                call.arg(&token.as_bytes()[..]).arg(milliseconds);
            }
            Step::Raise(token) | Step::Hold(token) => {
                call.arg(&token.as_bytes()[..])
                    .arg(milliseconds)
                    .arg(Fence::MAX_TOKENS);
            }
            Step::Fill(lease, value) => {
                call.arg(&wire::lease(*lease)[..])
                    .arg(milliseconds)
                    .arg(wire::value(*lease, sealed(value)));
            }
            Step::Refresh { token, next, value } => {
                call.arg(&wire::value_prefix(*token)[..])
                    .arg(milliseconds)
                    .arg(wire::value(*next, sealed(value)));
            }
            Step::Release(token) | Step::Lower(token) => {
                call.arg(&token.as_bytes()[..]);
            }
            Step::Put(token, value) => {
                call.arg(&token.as_bytes()[..])
                    .arg(milliseconds)
                    .arg(wire::value(*token, sealed(value)));
            }
        }
        Some(call)
    }
}

/// The longest life of a key: 100 years. Redis refuses what overflows its clock.
const MAX_MILLISECONDS: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// This store is only handed sealed values; an empty envelope is unreadable, and so a miss.
fn sealed(payload: &Payload) -> &[u8] {
    match payload {
        Payload::Sealed(bytes) => bytes,
        Payload::Typed(..) => &[],
    }
}

fn reply(step: &Step<Payload>, answer: Value) -> Result<Reply<Payload>, CacheError> {
    match (step, answer) {
        (Step::Read, Value::Nil) => Ok(Reply::Miss),
        (Step::Acquire { .. }, Value::Nil) => Ok(Reply::Granted),
        (Step::Read | Step::Acquire { .. }, Value::BulkString(slot)) => Ok(wire::read(slot)),
        (Step::Read | Step::Acquire { .. }, _) => Err(CacheError::new(ErrorKind::Garbled)),
        (Step::Expire, Value::Int(_)) | (_, Value::Int(1)) => Ok(Reply::Done),
        (_, Value::Int(0)) => Ok(Reply::Refused),
        _ => Err(CacheError::new(ErrorKind::Garbled)),
    }
}

/// Whether an error tells that the store is not there, rather than that it refused.
fn says_nothing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Garbled
    )
}

fn is_wrong_type(error: &RedisError) -> bool {
    error.code() == Some("WRONGTYPE")
}

fn translate(error: RedisError) -> CacheError {
    let kind = match error.kind() {
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
