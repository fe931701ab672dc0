//! A call of which something [was asked for](crate::control).

use std::time::Duration;

use super::{Call, load_or_wait};
use crate::cache::Inner;
use crate::codec::Codec;
use crate::control::{self, Asked};
use crate::form::Form;
use crate::invalidation::Ending;
use crate::key::{KeyWriter, RenderedKey};
use crate::outcome::{CacheValue, ErrorSharing, Outcome, View};
use crate::policy::Policy;
use crate::slot::{Reply, Step};
use crate::stats::Count;
use crate::storing::Selects;
use crate::switch::Mode;
use crate::tally::Tally;
use crate::token::Token;

/// How a call begins.
pub(crate) enum Start<R> {
    /// With the body alone.
    Plain,
    /// It does not: the value was at hand.
    Hit(R),
    /// Through the cache.
    Through(RenderedKey),
}

/// Begins a call, whatever was asked of it.
#[inline]
pub(crate) fn start<R, S>(
    asked: Asked,
    inner: &Inner,
    tally: Tally<'_>,
    policy: Policy,
    write: impl FnOnce(&mut KeyWriter),
) -> Start<R>
where
    R: Outcome<S, Value: CacheValue>,
{
    match (asked, inner.mode() == Mode::On) {
        (Asked::Nothing | Asked::OnlyCached, true) => match inner.look::<R, S>(write, policy) {
            Ok((hit, tier)) => {
                tally.add(tier);
                Start::Hit(hit)
            }
            Err(key) => Start::Through(key),
        },
        (Asked::Refresh, true) | (Asked::OnlyCached, false) => Start::Through(inner.render(write)),
        (Asked::Bypass, true) => {
            tally.add(Count::bypasses_asked);
            tally.add(Count::loads);
            Start::Plain
        }
        (Asked::Nothing | Asked::Bypass | Asked::Refresh, false) => Start::Plain,
    }
}

/// Goes on with it.
pub(super) async fn as_asked<R, S, C, D, F>(
    call: Call<'_>,
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
    match call.asked {
        Asked::Refresh => refreshed::<R, S, C, D, F>(call, sharing, storing, body).await,
        Asked::OnlyCached => only_cached::<R, S, D, F>(call, storing, body).await,
        Asked::Nothing | Asked::Bypass => body.await,
    }
}

/// Answers from the cache, or not at all. `body` runs only where the call was carried out of its scope.
async fn only_cached<R, S, D, F>(
    mut call: Call<'_>,
    storing: impl Selects<R::Value>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
    D: Codec,
    F: Form,
{
    if call.inner.mode() == Mode::On {
        if let Ok(Reply::Hit(token, payload)) = call.look().await
            && let Some(value) = call.hit::<R, S, D, F>(token, &payload, &storing)
        {
            return value;
        }
        call.tally.add(Count::unanswered);
    }
    control::unanswered().await;
    body.await
}

/// Loads, and puts what was loaded in the place of what is cached.
///
/// Whatever stands in the slot when this has returned a value was loaded after this began:
///
/// - A value that was read is replaced by token, so that an invalidation during the load has the last word. It stands until then,
///   and stays if the load fails.
/// - In the place of anything else, a lease of another's load included, there is nothing, and this is a call like any other from
///   there on: it may be answered by a load of another, which then began after this.
/// - Where neither can be done, what may be older is dropped after the load.
async fn refreshed<R, S, C, D, F>(
    mut call: Call<'_>,
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
    let reason = match call.look().await {
        Ok(Reply::Hit(token, _)) => {
            return replace::<R, S, D, F>(call, token, storing, body).await;
        }
        Ok(Reply::Miss | Reply::Leased(_)) => {
            // Also where nothing was read: a look may be answered under an epoch that has just moved, and values of the
            // new one may be older than this call. This step is carried out under the one in force.
            match call.step(Step::Invalidate, Duration::ZERO).await {
                Ok(_) => {
                    let nothing = Some(Ok(Reply::Miss));
                    return load_or_wait::<R, S, C, D, F>(call, nothing, sharing, storing, body)
                        .await;
                }
                Err(_) => Count::bypasses_store,
            }
        }
        Ok(_) => Count::bypasses_fenced,
        Err(reason) => reason,
    };
    call.tally.add(reason);
    call.tally.add(Count::loads);
    let returned = body.await;
    if !matches!(returned.view(), View::Failed(_)) {
        call.drop_older().await;
    }
    returned
}

/// Loads, and replaces a value that was read.
async fn replace<R, S, D, F>(
    mut call: Call<'_>,
    token: Token,
    storing: impl Selects<R::Value>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
    D: Codec,
    F: Form,
{
    call.tally.add(Count::refreshes);
    call.tally.add(Count::loads);
    let generations = call.generations().await;
    let began = call.now();
    let returned = body.await;
    let took = call.now().saturating_duration_since(began);
    let (value, ttl) = match returned.view() {
        View::Value(value) => (Some(value), storing.ttl_of(value, &call.policy)),
        View::Absent => (None, call.policy.ttl_of_none()),
        View::Failed(_) => {
            call.tally.add(Count::load_errors);
            return returned;
        }
    };
    let over = call
        .put_over::<_, D, F>(token, value, ttl, generations, took)
        .await;
    if over != Over::Stored {
        call.drop_older().await;
    }
    returned
}

/// What came of replacing a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// It was.
    Stored,
    /// It was gone, or may have been.
    Gone,
    /// There is nothing to put in its place.
    Unstorable,
}

impl Call<'_> {
    /// Replaces the value `token` by one that took so long to load.
    pub(super) async fn put_over<T: CacheValue, D: Codec, F: Form>(
        &mut self,
        token: Token,
        value: Option<&T>,
        ttl: Option<Duration>,
        generations: Option<Vec<Token>>,
        took: Duration,
    ) -> Over {
        let life = ttl.and_then(|ttl| self.life(ttl, took));
        let (Some((ttl, age)), Some(generations)) = (life, generations) else {
            return Over::Unstorable;
        };
        let Some(value) = self.payload::<_, D, F>(value, &generations, age) else {
            return Over::Unstorable;
        };
        let next = self.inner.tokens.next();
        let Ok(reply) = self.step(Step::Refresh { token, next, value }, ttl).await else {
            return Over::Gone;
        };
        let (over, count) = match reply {
            Reply::Done => (Over::Stored, Count::fills),
            _ => (Over::Gone, Count::fills_refused),
        };
        self.tally.add(count);
        over
    }

    /// Drops what may have been loaded before this call began, as an invalidation does. If the store does not take it within what
    /// is left of the budget, it is queued.
    ///
    /// 1. A refreshes: it reads value `a`, and loads.
    /// 2. The source changes, unseen. B refreshes: it reads `a`, too, and loads the change.
    /// 3. A replaces `a` by what it has loaded.
    /// 4. B is refused. It must not return and leave A's value there; nor may it replace that, which may have been stored after
    ///    an invalidation that B's has not seen.
    pub(super) async fn drop_older(&mut self) {
        let dropped = self.step(Step::Invalidate, Duration::ZERO).await;
        if dropped.is_err() && self.inner.mode() != Mode::Detached {
            self.tally.add(Count::invalidations_queued);
            let key = self.key.clone();
            self.inner.queue_invalidations([key], Ending::Invalidate);
        }
    }
}
