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

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::Call;
use super::aging::Task;
use crate::codec::tell_the_same;
use crate::outcome::{CacheValue, Outcome, View};
use crate::race::within;
use crate::slot::Reply;
use crate::stats::Count;
use crate::switch::Mode;
use crate::tally::At;
use crate::timer;
use crate::token::Token;
use crate::verify::Verification;

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
    let loaded = within(call.inner.settings.wait, unless_it_panics(body)).await;
    let is_same = loaded
        .flatten()
        .and_then(|loaded| are_same(&value, &loaded));
    match is_same {
        Some(true) => call.tally.add(Count::verified),
        None => call.tally.add(Count::unverified),
        Some(false) => {
            let (task, _) = Task::of(call);
            let confirming = confirm(task, token, verification);
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(confirming)),
                // Nobody else would do it.
                Err(_) => confirming.await,
            }
        }
    }
    value
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
async fn confirm(task: Task, token: Token, verification: Verification) {
    let until = Instant::now() + MUTATIONS_TAKE;
    let mut delay = FIRST_LOOK;
    loop {
        let mut call = task.call();
        let tally = call.tally;
        let is_there = call.inner.mode() == Mode::On
            && matches!(call.look().await, Ok(Reply::Hit(now, _)) if now == token)
            && task.has_seen(&call);
        if !is_there {
            return tally.add(Count::unverified);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            tally.add(Count::mismatches);
            if call.inner.verifications.is_to_be_told() {
                tell(&call).await;
            }
            return drop(verification);
        }
        timer::sleep(delay.min(left)).await;
        delay = (delay * 2).min(SLOWEST_LOOK);
    }
}

/// Tells of a stale value. Neither its key, which may be somebody's, nor what it holds: the key at debug level.
async fn tell(call: &Call<'_>) {
    let left = call.inner.store.ttl_left(&call.key).await;
    let of_this = || call.policy.ttl().checked_sub(left?);
    let age = of_this().map_or(f64::NAN, |age| age.as_secs_f64());
    let (function, template) = match call.tally.at() {
        At::Site(site) | At::Both(site) => (
            site.function(),
            site.templates().first().copied().unwrap_or_default(),
        ),
        At::Cache => ("a direct call", ""),
    };
    tracing::warn!(
        function,
        template,
        age_at_most_seconds = age,
        "cache: a cached value differs from its source, and nothing has invalidated it"
    );
    tracing::debug!(key = ?call.key, "cache: this one");
}
