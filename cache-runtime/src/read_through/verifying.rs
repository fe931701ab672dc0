//! Hits that are held against their source: the body runs as well, what it returns is compared with what was cached, and a difference
//! is counted and told of. The caller gets what was cached.
//!
//! A difference alone shows nothing: a mutation may have committed that has not returned yet, and until it has, the older value may be
//! returned.
//!
//! 1. R hits value `a`.
//! 2. A mutation commits, and its invalidation is on its way.
//! 3. R's body loads `b`, and differs.
//! 4. The invalidation arrives.
//!
//! So the slot is watched for a second after the body has ended. A value that is still there then, the very same by its token and by the
//! generations of its tags, has outlived the mutation that its source has seen: that is a stale value. Otherwise nothing is known of it, and
//! the sample is discarded.
//!
//! Outside of a runtime there is nobody who would watch, and the caller is not to wait: the next verification of the cache looks once, when
//! the second is over. No token is used twice, so that one look then tells as much as many before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tracing::Instrument as _;

use super::Call;
use super::task::{Rest, Task};
use crate::audit::templates_of;
use crate::cache::Inner;
use crate::codec::tell_the_same;
use crate::outcome::{CacheValue, Outcome, View};
use crate::policy::Policy;
use crate::race::within;
use crate::slot::Reply;
use crate::spans;
use crate::staleness::{Age, Staleness};
use crate::stats::Count;
use crate::storing::Selects;
use crate::switch::Mode;
use crate::tally::At;
use crate::timer;
use crate::token::Token;
use crate::verify::{Later, Verification};

/// How long a mutation may take from its commit to its return before what is cached meanwhile counts as stale.
const MUTATIONS_TAKE: Duration = Duration::from_secs(1);

/// The delays between two looks meanwhile.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const SLOWEST_LOOK: Duration = Duration::from_millis(250);

/// Holds a value that a call has hit against what `body` returns. Whatever becomes of that, the value is the answer.
///
/// # Cancel safety
///
/// Nothing is known of the value then.
pub(super) async fn verified<R, S>(
    call: Call<'_>,
    value: R,
    token: Token,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
{
    let Some(verification) = call.inner.verifications.begin() else {
        return value;
    };
    let due = call.inner.verifications.due();
    if let Some(first) = due.first() {
        let span = first.rest.span("confirm");
        let looking = look_at(call.inner.clone(), due).instrument(span);
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(looking)),
            Err(_) => looking.await,
        }
    }
    let body = body.instrument(spans::of_verification(call.tally.at(), &call.key));
    let loaded = within(call.inner.settings.wait, unless_it_panics(body)).await;
    let is_same = loaded
        .flatten()
        .and_then(|loaded| are_same(&value, &loaded));
    match is_same {
        Some(true) => call.tally.add(Count::verified),
        None => call.tally.add(Count::unverified),
        Some(false) => {
            let tally = call.tally;
            let (Task { inner, rest }, _) = Task::of(call);
            if let Ok(runtime) = Handle::try_current() {
                let span = rest.span("confirm");
                runtime.spawn(confirm(inner, rest, token, verification).instrument(span));
            } else {
                let later = Later {
                    due: Instant::now() + MUTATIONS_TAKE,
                    token,
                    rest,
                };
                if !inner.verifications.keep(later) {
                    tally.add(Count::unverified);
                }
            }
        }
    }
    value
}

/// What tells how old a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Life {
    /// It carries that.
    Told(Age),
    /// It lives for so long, if it was stored as it would be now.
    Span(Duration),
}

impl Life {
    /// Of a value, or of what is known to be absent.
    pub(super) fn of<T>(
        value: Option<&T>,
        age: Option<Age>,
        policy: &Policy,
        storing: &impl Selects<T>,
    ) -> Option<Self> {
        if let Some(age) = age {
            return Some(Self::Told(age));
        }
        let ttl = match value {
            Some(value) => storing.ttl_of(value, policy),
            None => policy.ttl_of_none(),
        };
        let kept = policy.beyond_ttl().map_or(Duration::ZERO, Staleness::kept);
        Some(Self::Span(ttl?.saturating_add(kept)))
    }

    /// How old it is at most, of which `left` is told by the store; `None` where that is not known.
    fn age(self, now_ms: u64, left: Option<Duration>) -> Option<Duration> {
        match self {
            Self::Told(age) => Some(Duration::from_millis(age.of_now(now_ms))),
            Self::Span(span) => span.checked_sub(left?),
        }
    }
}

/// Whether both tell the same; `None` where that cannot be said.
fn are_same<R, S>(cached: &R, loaded: &R) -> Option<bool>
where
    R: Outcome<S, Value: CacheValue>,
{
    match (cached.view(), loaded.view()) {
        (View::Failed(_), _) | (_, View::Failed(_)) => None,
        (View::Absent, View::Absent) => Some(true),
        (View::Value(cached), View::Value(loaded)) => tell_the_same(cached, loaded),
        (View::Absent, View::Value(_)) | (View::Value(_), View::Absent) => Some(false),
    }
}

/// The body of a call that has its answer must not take it from it.
async fn unless_it_panics<R>(body: impl Future<Output = R>) -> Option<R> {
    let mut body = pin!(body);
    std::future::poll_fn(|context| {
        match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(context))) {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

/// Watches a value that differs from its source, for as long as a mutation may take.
async fn confirm(inner: Arc<Inner>, rest: Rest, token: Token, verification: Verification) {
    let until = Instant::now() + MUTATIONS_TAKE;
    let mut delay = FIRST_LOOK;
    while stands(&inner, &rest, token).await {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            has_outlived(&inner, &rest).await;
            return drop(verification);
        }
        timer::sleep(delay.min(left)).await;
        delay = (delay * 2).min(SLOWEST_LOOK);
    }
    rest.call(&inner).tally.add(Count::unverified);
}

/// Looks at values that differed from their sources long enough ago.
async fn look_at(inner: Arc<Inner>, due: Vec<Later>) {
    for Later { token, rest, .. } in due {
        if stands(&inner, &rest, token).await {
            has_outlived(&inner, &rest).await;
        } else {
            rest.call(&inner).tally.add(Count::unverified);
        }
    }
}

/// Whether a value is still the one that would be returned.
async fn stands(inner: &Arc<Inner>, rest: &Rest, token: Token) -> bool {
    let mut call = rest.call(inner);
    inner.mode() == Mode::On
        && matches!(call.look().await, Ok(Reply::Hit(now, _)) if now == token)
        && rest.has_seen(&call)
}

/// Counts a stale value, and tells of it. Neither its key, which may be somebody's, nor what it holds: the key at debug level.
async fn has_outlived(inner: &Arc<Inner>, rest: &Rest) {
    let call = rest.call(inner);
    call.tally.add(Count::mismatches);
    if !inner.verifications.is_to_be_told() {
        return;
    }
    let left = inner.store.ttl_left(&call.key).await;
    let age = |life: Life| life.age(inner.settings.clock.unix_ms(), left);
    let age = call.life.and_then(age).map(|age| age.as_secs_f64());
    let (function, template) = match call.tally.at() {
        At::Site(site) | At::Both(site) => (site.function(), templates_of(site).first().copied()),
        At::Cache => ("a direct call", None),
    };
    tracing::warn!(
        function,
        template,
        age_at_most_seconds = age,
        "cache: a cached value differs from its source, and nothing has invalidated it"
    );
    tracing::debug!(key = ?call.key, "cache: this one");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storing::Every;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn how_old_a_value_is_at_most() {
        static KEPT: Staleness = Staleness::new().if_error(Duration::from_secs(5));
        let policy = Policy::new(10 * SECOND);
        let every = Every::<u64>::value();
        let of = |value: Option<&u64>, age, policy: Policy, left| {
            let life = Life::of(value, age, &policy, &every);
            life.and_then(|life| life.age(1_700_000_004_000, left))
        };
        let left = Some(7 * SECOND);
        assert_eq!(of(Some(&1), None, policy, left), Some(3 * SECOND));
        let kept = policy.staleness(&KEPT);
        assert_eq!(of(Some(&1), None, kept, left), Some(8 * SECOND));
        assert_eq!(of(Some(&1), None, policy, None), None, "nobody knows");
        assert_eq!(of(Some(&1), None, policy, Some(11 * SECOND)), None);
        assert_eq!(of(None, None, policy, left), None);
        let absent = policy.none_ttl(8 * SECOND);
        assert_eq!(of(None, None, absent, left), Some(SECOND));
        let age = Age::new(1_700_000_000_000, 10 * SECOND, SECOND);
        assert_eq!(of(Some(&1), Some(age), kept, None), Some(4 * SECOND));
        let by_value = every.ttl_by(|value: &u64| SECOND * u32::try_from(*value).unwrap_or(0));
        let life = Life::of(Some(&9), None, &policy, &by_value);
        let age = life.and_then(|life| life.age(0, left));
        assert_eq!(age, Some(2 * SECOND));
    }
}
