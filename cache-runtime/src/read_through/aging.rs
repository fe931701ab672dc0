//! Calls that find a value near or beyond the end of its TTL: what they are answered with, and which of them replaces it.
//!
//! To replace a value is the right of one caller of the whole fleet at a time: a lease in a slot of its own, which is named after the
//! *token* of the value and not after its key. Under the key, promise 1 would be lost:
//!
//! 1. L reads a stale value, takes the lease of the key's replacement, and begins to load the old row.
//! 2. A mutation commits, and its invalidation completes. The value is loaded anew, and grows stale before L has ended.
//! 3. R begins, reads the new value, finds L's lease, and would be handed the old row when L ends.
//!
//! A token is used once: who finds a lease by it has read the very value that the load began after, and no invalidation of it had
//! completed then. What the load brings replaces that value and no other ([`Step::Refresh`]), so that it never outlives an
//! invalidation.
//!
//! When a load has ended, well or not, a mark stands in the place of the lease for a moment: those who waited elsewhere find out, and
//! a source that fails is left alone for so long.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tracing::Instrument as _;

use super::loading::Instead;
use super::task::Task;
use super::verifying::verified;
use super::{Call, Landing, Lease, Loading, Looked, MAX_LOOKS, Next, To, Turn, Waited, prepare};
use crate::budget::Budget;
use crate::codec::{Codec, MessagePack};
use crate::control::Asked;
use crate::form::Form;
use crate::lock::lock;
use crate::outcome::{CacheValue, ErrorSharing, Outcome, View};
use crate::policy::Policy;
use crate::race::within;
use crate::slot::{Reply, Step};
use crate::spans;
use crate::staleness::{Freshness, Staleness};
use crate::stats::Count;
use crate::storing::Selects;
use crate::timer;
use crate::token::Token;

/// What stands in front of a value's token in the key of the slot that its replacement is leased in: no key of a template begins so.
pub(crate) const MARK: &str = "%r:";

/// How long a value is left as it is after a load that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// How long this process does not ask again for the right to replace a value that another has.
const ELSEWHERE: Duration = Duration::from_millis(100);

/// The values that this process is replacing.
#[derive(Debug, Default)]
pub(crate) struct Replacing(Mutex<HashSet<Token>>);

impl Replacing {
    /// How many at once. Beyond it, a value is replaced by a later call.
    const MAX: usize = 1000;

    /// The right to do so in this process; `None` if another call has it.
    fn begin(self: &Arc<Self>, token: Token) -> Option<Replacement> {
        let mut replacing = lock(&self.0);
        let is_ours = replacing.len() < Self::MAX && replacing.insert(token);
        drop(replacing);
        is_ours.then(|| Replacement {
            of: self.clone(),
            token,
        })
    }
}

/// One value that is being replaced, until this is dropped.
#[derive(Debug)]
pub(super) struct Replacement {
    of: Arc<Replacing>,
    token: Token,
}

impl Drop for Replacement {
    fn drop(&mut self) {
        lock(&self.of.0).remove(&self.token);
    }
}

/// A call after its first look.
pub(crate) enum First<'a, R> {
    /// It needs no more than this.
    Hit(R),
    /// Its body is needed.
    Going(Box<Going<'a, R>>),
}

/// A call whose body is needed.
#[derive(Debug)]
pub(crate) struct Going<'a, R> {
    call: Call<'a>,
    with: With<R>,
}

/// What it goes on with.
#[derive(Debug)]
enum With<R> {
    /// As any other call, after this look.
    Looked(Option<Looked>),
    /// A value to be returned, counted so, and replaced.
    Refresh(R, Count, Replacement),
    /// A value to be returned if a load fails.
    Held(R, Token),
    /// A value to be returned, and held against its source.
    Verify(R, Token),
}

/// Looks for a value.
pub(crate) async fn first_look<'a, R, S, D, F>(
    mut call: Call<'a>,
    storing: &impl Selects<R::Value>,
) -> First<'a, R>
where
    R: Outcome<S, Value: CacheValue>,
    D: Codec,
    F: Form,
{
    let with = if call.asked == Asked::Nothing {
        match call.look().await {
            Ok(Reply::Hit(token, payload)) => {
                match call.find::<R, S, D, F>(token, &payload, storing) {
                    None => With::Looked(None),
                    Some((value, Freshness::Held)) => With::Held(value, token),
                    Some((value, Freshness::Fresh)) if call.verifies => {
                        call.counted.ends_as(Count::hits);
                        With::Verify(value, token)
                    }
                    Some((value, freshness)) => {
                        let count = count_of(freshness);
                        let replacing = || call.inner.replacing.begin(token);
                        let is_to_be_replaced = freshness != Freshness::Fresh;
                        let Some(replacement) = is_to_be_replaced.then(replacing).flatten() else {
                            call.counted.ends_as(count);
                            return First::Hit(value);
                        };
                        With::Refresh(value, count, replacement)
                    }
                }
            }
            looked => With::Looked(Some(looked)),
        }
    } else {
        With::Looked(None)
    };
    First::Going(Box::new(Going { call, with }))
}

/// What a call is counted as that returned such a value.
pub(super) fn count_of(freshness: Freshness) -> Count {
    match freshness {
        Freshness::Fresh | Freshness::Due => Count::hits,
        Freshness::Stale | Freshness::Held | Freshness::Over => Count::stale_hits,
    }
}

/// Goes on, with loads that outlive the call in tasks of the runtime that it runs in. Outside of one it is [`inline`].
///
/// # Cancel safety
///
/// A load in the background goes on. Otherwise as [`inline`].
pub(crate) async fn in_background<R, S, C, D, F>(
    going: Going<'_, R>,
    sharing: C,
    storing: impl Selects<R::Value> + Send + 'static,
    body: impl Future<Output = R> + Send + 'static,
) -> R
where
    R: Outcome<S, Value: CacheValue> + Send + 'static,
    S: 'static,
    C: ErrorSharing<R::Error> + Send + 'static,
    D: Codec + 'static,
    F: Form + 'static,
{
    let Ok(runtime) = Handle::try_current() else {
        return inline::<R, S, C, D, F>(going, sharing, storing, body).await;
    };
    let Going { mut call, with } = going;
    let limit = call.policy.beyond_ttl().and_then(Staleness::soft_timeout);
    match (with, limit) {
        (With::Refresh(value, count, replacement), _) => {
            call.counted.ends_as(count);
            let (task, _) = Task::of(call);
            let span = task.span("refresh");
            let refreshing = async move {
                let call = task.call();
                let token = replacement.token;
                let acquired = call.of_replacement(token).acquire().await;
                if let Ok(Turn::Lead(lease)) = acquired {
                    let to = To::Renew(token, lease);
                    let loading = Loading::begin(call, sharing, storing, (None, to)).await;
                    Next::Load(Box::new(loading)).with::<S, D, F>(body).await;
                } else {
                    timer::sleep(ELSEWHERE).await;
                }
                drop(replacement);
            };
            runtime.spawn(refreshing.instrument(span));
            value
        }
        (With::Verify(value, token), _) => {
            let (task, _) = Task::of(call);
            let stored = match value.view() {
                View::Value(stored) => R::from_stored(Some(stored.clone())),
                View::Absent => R::from_stored(None),
                View::Failed(_) => None,
            };
            if let Some(stored) = stored {
                let span = task.span("verify");
                let verifying = async move {
                    verified(task.call(), stored, token, body).await;
                };
                runtime.spawn(verifying.instrument(span));
            }
            value
        }
        (With::Held(value, token), Some(limit)) => {
            let until = Instant::now() + limit;
            let left = || until.saturating_duration_since(Instant::now());
            let held = (value, token);
            let attended = call.attend::<R, S, D, F>(held, Some(limit), &storing).await;
            let (value, token, attended) = match attended {
                Ok(attended) => attended,
                Err(looked) => {
                    let next = wait_or_attend::<R, S, C, D, F, _>(call, looked, sharing, storing);
                    return next.await.with::<S, D, F>(body).await;
                }
            };
            match attended {
                Attended::Lead(lease) => {
                    let (task, counted) = Task::of(call);
                    let span = task.span("refresh");
                    let loading = async move {
                        let to = To::Renew(token, lease);
                        let call = task.call();
                        let loading = Loading::begin(call, sharing, storing, (None, to)).await;
                        Next::Load(Box::new(loading)).with::<S, D, F>(body).await
                    };
                    let loading = runtime.spawn(loading.instrument(span));
                    let loaded = within(left(), loading).await.and_then(Result::ok);
                    Instead::stale(value, Count::misses).unless(loaded, &counted)
                }
                Attended::Alone(reason) => {
                    let (task, counted) = Task::of(call);
                    let (call, to) = (task.call(), To::Return);
                    let loading = Loading::begin(call, sharing, storing, (None, to)).await;
                    let loading = Next::Load(Box::new(loading)).with::<S, D, F>(body);
                    let loaded = within(left(), loading).await;
                    Instead::stale(value, reason).unless(loaded, &counted)
                }
                Attended::Answer(answer) => answer,
                Attended::Stale => {
                    call.counted.ends_as(Count::stale_hits);
                    value
                }
            }
        }
        (with, _) => {
            let going = Going { call, with };
            inline::<R, S, C, D, F>(going, sharing, storing, body).await
        }
    }
}

/// Goes on, with loads that the call itself awaits.
///
/// # Cancel safety
///
/// Dropped while it loads: those who wait for the load take it over, or the right to it is given back. The value stays.
pub(crate) async fn inline<R, S, C, D, F>(
    going: Going<'_, R>,
    sharing: C,
    storing: impl Selects<R::Value>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    D: Codec,
    F: Form,
{
    let Going { call, with } = going;
    if let With::Verify(value, token) = with {
        return verified(call, value, token, body).await;
    }
    let going = Going { call, with };
    let next = prepare_inline::<R, S, C, D, F, _>(going, sharing, storing).await;
    next.with::<S, D, F>(body).await
}

/// The same up to the body.
async fn prepare_inline<R, S, C, D, F, W>(
    going: Going<'_, R>,
    sharing: C,
    storing: W,
) -> Next<'_, R, C, W>
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    W: Selects<R::Value>,
    D: Codec,
    F: Form,
{
    let Going { mut call, with } = going;
    match with {
        With::Refresh(value, count, replacement) => {
            let token = replacement.token;
            let Ok(Turn::Lead(lease)) = call.of_replacement(token).acquire().await else {
                call.counted.ends_as(count);
                return Next::Answer(value);
            };
            let to = To::Renew(token, lease);
            let loading = Loading::begin(call, sharing, storing, (None, to)).await;
            Next::Load(Box::new(loading.or(Instead {
                value,
                count,
                otherwise: Count::misses,
                replacement: Some(replacement),
            })))
        }
        With::Held(value, token) => {
            let held = (value, token);
            match call.attend::<R, S, D, F>(held, None, &storing).await {
                Ok(attended) => attended_to(attended, call, sharing, storing).await,
                Err(looked) => {
                    wait_or_attend::<R, S, C, D, F, W>(call, looked, sharing, storing).await
                }
            }
        }
        With::Verify(value, _) => Next::Answer(value),
        With::Looked(looked) if call.asked == Asked::Nothing => {
            wait_or_attend::<R, S, C, D, F, W>(call, looked, sharing, storing).await
        }
        With::Looked(looked) => prepare::<R, S, C, D, F, W>(call, looked, sharing, storing).await,
    }
}

/// Goes on after a look that brought no value.
///
/// The value that it waits for may be one which is past its TTL already. It is left in its place like any other of that age, and replaced
/// by the one who has the right to:
///
/// 1. R waits for a load, and finds what that has stored. It was fresh for a millisecond, and is held now.
/// 2. S finds it, too, takes the right to replace it, and begins to load.
/// 3. Were R to take the lease of the key, it would load at the same time as S, and have no value to return if that fails.
async fn wait_or_attend<R, S, C, D, F, W>(
    mut call: Call<'_>,
    mut looked: Option<Looked>,
    sharing: C,
    storing: W,
) -> Next<'_, R, C, W>
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    W: Selects<R::Value>,
    D: Codec,
    F: Form,
{
    let then = loop {
        match call
            .wait::<R, S, C, D, F>(looked.take(), &sharing, &storing)
            .await
        {
            Waited::Answer(value) => return Next::Answer(value),
            Waited::Held(value, token) => {
                let held = (value, token);
                match call.attend::<R, S, D, F>(held, None, &storing).await {
                    Ok(attended) => return attended_to(attended, call, sharing, storing).await,
                    Err(now) => looked = now,
                }
            }
            Waited::Load(count, to) => break (Some(count), to),
        }
    };
    Next::Load(Box::new(Loading::begin(call, sharing, storing, then).await))
}

/// What a call does that has a stale value at hand.
async fn attended_to<R, C, W>(
    (value, token, attended): (R, Token, Attended<R>),
    call: Call<'_>,
    sharing: C,
    storing: W,
) -> Next<'_, R, C, W> {
    match attended {
        Attended::Lead(lease) => {
            let to = To::Renew(token, lease);
            let loading = Loading::begin(call, sharing, storing, (None, to)).await;
            Next::Load(Box::new(loading.or(Instead::stale(value, Count::misses))))
        }
        Attended::Alone(reason) => {
            let to = To::Return;
            let loading = Loading::begin(call, sharing, storing, (None, to)).await;
            Next::Load(Box::new(loading.or(Instead::stale(value, reason))))
        }
        Attended::Answer(answer) => Next::Answer(answer),
        Attended::Stale => {
            call.counted.ends_as(Count::stale_hits);
            Next::Answer(value)
        }
    }
}

/// What became of the load that is to replace a value.
#[allow(clippy::large_enum_variant, reason = "taken apart at once")]
enum Attended<R> {
    /// It is this caller's.
    Lead(Lease),
    /// Another's has brought this.
    Answer(R),
    /// Another's has failed, or takes too long.
    Stale,
    /// To be loaded without a fill.
    Alone(Count),
}

impl<'a> Call<'a> {
    /// A call, as it were, of the slot that the replacement of a value is leased in.
    fn of_replacement(&self, token: Token) -> Call<'a> {
        let (upper, lower) = token.halves();
        let key = self.inner.render(|writer| {
            writer.literal(MARK);
            writer.literal(&format!("{upper:016x}{lower:016x}"));
        });
        let policy = Policy::new(Duration::ZERO);
        let mut call = Call::new(self.inner, key, policy, self.tally, Asked::Nothing);
        call.counted.ends_uncounted();
        call.budget = self.budget;
        call
    }

    /// Takes the right to replace a value that it holds, or waits for the one who has it, `limit` at most. What is held may have been
    /// replaced by another meanwhile; `Err`, with what is there now, if it is gone.
    async fn attend<R, S, D, F>(
        &mut self,
        held: (R, Token),
        limit: Option<Duration>,
        storing: &impl Selects<R::Value>,
    ) -> Result<(R, Token, Attended<R>), Option<Looked>>
    where
        R: Outcome<S, Value: CacheValue>,
        D: Codec,
        F: Form,
    {
        let (mut value, mut token) = held;
        let mut replacement = self.of_replacement(token);
        let wait = self.inner.settings.wait;
        replacement.waits_until = limit.map(|limit| Instant::now() + limit.min(wait));
        while self.looks < MAX_LOOKS {
            let turn = match replacement.acquire().await {
                Ok(turn) => Some(turn),
                Err(leased) => {
                    let span = spans::of_wait(self.tally.at(), &self.key);
                    let waiting = replacement.wait_for(leased);
                    waiting.instrument(span).await
                }
            };
            let has_ended = match turn {
                Some(Turn::Lead(lease)) => return Ok((value, token, Attended::Lead(lease))),
                Some(Turn::Alone(Count::bypasses_waited)) if limit.is_some() => {
                    return Ok((value, token, Attended::Stale));
                }
                Some(Turn::Alone(reason)) => return Ok((value, token, Attended::Alone(reason))),
                Some(Turn::Landed(Landing::Failed(_))) => {
                    return Ok((value, token, Attended::Stale));
                }
                Some(Turn::Landed(Landing::Value(payload))) => {
                    let opened = self.open::<R::Value, D, F>(&payload);
                    let loaded = opened.ok().and_then(|(value, _)| R::from_stored(value));
                    if let Some(loaded) = loaded {
                        self.counted.ends_as(Count::joins);
                        return Ok((value, token, Attended::Answer(loaded)));
                    }
                    true
                }
                Some(Turn::Hit(..)) => true,
                Some(Turn::Landed(Landing::Moved)) | None => false,
            };
            match self.look().await {
                Ok(Reply::Hit(now, _)) if now == token => {
                    if has_ended {
                        return Ok((value, token, Attended::Stale));
                    }
                }
                Ok(Reply::Hit(now, payload)) => {
                    match self.find::<R, S, D, F>(now, &payload, storing) {
                        Some((newer, Freshness::Held)) => {
                            (value, token) = (newer, now);
                            let until = replacement.waits_until;
                            replacement = self.of_replacement(token);
                            replacement.waits_until = until;
                        }
                        Some((newer, freshness)) => {
                            self.counted.ends_as(count_of(freshness));
                            return Ok((value, token, Attended::Answer(newer)));
                        }
                        None => return Err(None),
                    }
                }
                looked => return Err(Some(looked)),
            }
        }
        Ok((value, token, Attended::Alone(Count::bypasses_waited)))
    }

    /// Tells those who wait for a load, and those who would begin another, that it is over.
    pub(super) async fn has_ended(&mut self, lease: &Lease) {
        let (inner, seat) = (self.inner, &lease.seat);
        let Ok(mark) = inner.payload::<(), MessagePack>(seat.key(), Some(&()), (0, None)) else {
            return;
        };
        let step = Step::Fill(seat.token(), mark);
        let (at, budget) = (self.tally.at(), Budget::of(self.budget));
        let told = spans::step(&inner.store, at, seat.key(), step, PAUSE, budget);
        if told.await.is_ok() {
            seat.settle();
        }
    }
}
