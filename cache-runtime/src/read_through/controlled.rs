//! A call of which something [was asked for](crate::control).

use std::sync::Arc;
use std::time::Duration;

use super::{Call, Loading, Next, To, load_or_wait};
use crate::cache::Inner;
use crate::codec::Codec;
use crate::control::{self, Asked};
use crate::form::Form;
use crate::invalidation::Ending;
use crate::key::{KeyWriter, RenderedKey};
use crate::outcome::{CacheValue, ErrorSharing, Outcome};
use crate::policy::Policy;
use crate::slot::{Reply, Step};
use crate::stats::{self, Count};
use crate::store::Payload;
use crate::storing::Selects;
use crate::switch::Mode;
use crate::tally::Tally;
use crate::token::Token;
use crate::transaction;

/// How a call begins.
pub(crate) enum Start<R> {
    /// With the body alone.
    Plain,
    /// It does not: the value was at hand.
    Hit(R),
    /// Through the cache.
    Through(RenderedKey),
    /// The same, and a hit is to be held against its source.
    ToVerify(RenderedKey),
}

/// Begins a call, whatever was asked of it.
#[inline]
pub(crate) fn start<R, S>(
    asked: Asked,
    inner: &Arc<Inner>,
    tally: Tally<'_>,
    policy: Policy,
    write: impl FnOnce(&mut KeyWriter),
) -> Start<R>
where
    R: Outcome<S, Value: CacheValue>,
{
    match (asked, inner.admits(tally.at())) {
        (Asked::Nothing, true) if policy.is_to_be_verified(inner.settings.verify) => {
            Start::ToVerify(inner.render(write))
        }
        (Asked::Nothing, true) => {
            let timed = stats::timed();
            match inner.look::<R, S>(write, policy) {
                Ok((hit, tier)) => {
                    tally.hit_at_hand(tier, timed);
                    Start::Hit(hit)
                }
                Err(key) => Start::Through(key),
            }
        }
        (Asked::Refresh, true) | (Asked::OnlyCached, false) => Start::Through(inner.render(write)),
        (Asked::OnlyCached | Asked::Transaction, true) => {
            let timed = stats::timed();
            let key = inner.render(write);
            // What a transaction around has mutated is not at hand.
            let is_held = transaction::holds(inner, &key);
            let hit = (!is_held).then(|| inner.at_hand::<R, S>(key.as_bytes(), policy));
            match hit.flatten() {
                Some((hit, tier)) => {
                    tally.hit_at_hand(tier, timed);
                    Start::Hit(hit)
                }
                None => Start::Through(key),
            }
        }
        (Asked::Bypass | Asked::RefreshInTransaction, true) => {
            let key = inner.render(write);
            if asked == Asked::RefreshInTransaction {
                transaction::drop_in_the_end(inner, std::slice::from_ref(&key), tally.at());
            }
            Start::Through(key)
        }
        (
            Asked::Nothing
            | Asked::Bypass
            | Asked::Refresh
            | Asked::Transaction
            | Asked::RefreshInTransaction,
            false,
        ) => Start::Plain,
    }
}

/// Goes on with it, up to the body.
pub(super) async fn as_asked<R, S, C, D, F, W>(
    call: Call<'_>,
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
    match call.asked {
        Asked::Refresh => refreshed::<R, S, C, D, F, W>(call, sharing, storing).await,
        Asked::OnlyCached => only_cached::<R, S, C, D, F, W>(call, sharing, storing).await,
        Asked::Transaction => within_transaction::<R, S, C, D, F, W>(call, sharing, storing).await,
        Asked::Bypass | Asked::RefreshInTransaction => {
            let then = (Some(Count::bypasses_asked), To::Return);
            Next::Load(Box::new(Loading::begin(call, sharing, storing, then).await))
        }
        Asked::Nothing => {
            call.counted.ends_uncounted();
            Next::Load(Box::new(Loading::uncounted(call, sharing, storing)))
        }
    }
}

/// Answers from the cache, or not at all. The body runs only where the call was carried out of its scope.
async fn only_cached<R, S, C, D, F, W>(
    mut call: Call<'_>,
    sharing: C,
    storing: W,
) -> Next<'_, R, C, W>
where
    R: Outcome<S, Value: CacheValue>,
    W: Selects<R::Value>,
    D: Codec,
    F: Form,
{
    if call.inner.admits(call.tally.at())
        && let Ok(value) = call.answer_from_cache::<R, S, D, F>(&storing).await
    {
        return Next::Answer(value);
    }
    call.counted.ends_as(Count::unanswered);
    control::unanswered().await;
    Next::Load(Box::new(Loading::uncounted(call, sharing, storing)))
}

/// Answers from the cache, or with the body alone: nothing is stored, and nobody is waited for.
async fn within_transaction<R, S, C, D, F, W>(
    mut call: Call<'_>,
    sharing: C,
    storing: W,
) -> Next<'_, R, C, W>
where
    R: Outcome<S, Value: CacheValue>,
    W: Selects<R::Value>,
    D: Codec,
    F: Form,
{
    match call.answer_from_cache::<R, S, D, F>(&storing).await {
        Ok(value) => Next::Answer(value),
        Err(reason) => {
            let then = (Some(reason), To::Return);
            Next::Load(Box::new(Loading::begin(call, sharing, storing, then).await))
        }
    }
}

/// Loads, and puts what was loaded in the place of what is cached.
///
/// Whatever stands in the slot when the call has returned a value was loaded after it began:
///
/// - A value that was read is replaced by token, so that an invalidation during the load has the last word. It stands until then,
///   and stays if the load fails.
/// - In the place of anything else, a lease of another's load included, there is nothing, and this is a call like any other from
///   there on: it may be answered by a load of another, which then began after this.
/// - Where neither can be done, what may be older is dropped after the load.
async fn refreshed<R, S, C, D, F, W>(
    mut call: Call<'_>,
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
    let (count, to) = match call.look().await {
        Ok(Reply::Hit(token, _)) => (Count::refreshes, To::Replace(token)),
        Ok(Reply::Miss | Reply::Leased(_)) => {
            // Also where nothing was read: a look may be answered under an epoch that has just moved, and values of the
            // new one may be older than this call. This step is carried out under the one in force.
            match call.step(Step::Invalidate, Duration::ZERO).await {
                Ok(_) => {
                    let nothing = Some(Ok(Reply::Miss));
                    return load_or_wait::<R, S, C, D, F, W>(call, nothing, sharing, storing).await;
                }
                Err(_) => (Count::bypasses_store, To::Drop),
            }
        }
        Ok(_) => (Count::bypasses_fenced, To::Drop),
        Err(reason) => (reason, To::Drop),
    };
    let then = (Some(count), to);
    Next::Load(Box::new(Loading::begin(call, sharing, storing, then).await))
}

impl Call<'_> {
    /// The value as it is cached, where nothing else will do; `Err` with what a call within a transaction is counted as that has to load
    /// then.
    async fn answer_from_cache<R, S, D, F>(
        &mut self,
        storing: &impl Selects<R::Value>,
    ) -> Result<R, Count>
    where
        R: Outcome<S, Value: CacheValue>,
        D: Codec,
        F: Form,
    {
        if self.is_held_back() {
            return Err(Count::bypasses_transaction);
        }
        match self.look().await? {
            Reply::Hit(token, payload) => {
                let hit = self.hit::<R, S, D, F>(token, &payload, storing);
                hit.ok_or(Count::bypasses_transaction)
            }
            Reply::Fenced => Err(Count::bypasses_fenced),
            _ => Err(Count::bypasses_transaction),
        }
    }

    /// Whether a transaction around has mutated what this call reads.
    pub(super) fn is_held_back(&self) -> bool {
        self.keys().any(|key| transaction::holds(self.inner, key))
    }

    /// Replaces the value `token`; `false` if that is gone, or may be.
    pub(super) async fn put_over(&mut self, token: Token, value: Payload, ttl: Duration) -> bool {
        let next = self.inner.tokens.next();
        let step = Step::Refresh { token, next, value };
        let Ok(reply) = self.step(step, ttl).await else {
            return false;
        };
        let stored = matches!(reply, Reply::Done);
        self.tally.add_fill(stored);
        stored
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
