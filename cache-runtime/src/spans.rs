//! Spans of `tracing`, with the names of OpenTelemetry's conventions for database clients (semantic conventions 1.30): see the
//! [guide](crate::guide::metrics#spans).

use std::time::Duration;

use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::budget::Budget;
use crate::error::{CacheError, ErrorKind};
use crate::key::RenderedKey;
use crate::slot::{Reply, Step};
use crate::store::{Payload, Store};
use crate::tally::At;

/// Carries out one step, within a span of its own if it goes over the network.
///
/// # Cancel safety
///
/// That of [`Store::apply`].
#[inline]
pub(crate) async fn step(
    store: &Store,
    at: At,
    key: &RenderedKey,
    step: Step<Payload>,
    ttl: Duration,
    budget: Budget,
) -> Result<Reply<Payload>, CacheError> {
    let command = match step {
        Step::Read => "GET",
        Step::Expire => "UNLINK",
        _ => "EVALSHA",
    };
    let span = if store.as_embedded().is_some() {
        Span::none()
    } else {
        of_trip(at, key, command, step.name())
    };
    let applying = store.apply(key, step, ttl, budget);
    let result = applying.instrument(span.clone()).await;
    ended(&span, result)
}

/// Reads what the switch of the fleet says, for the first call of a process, within a span of its own.
///
/// # Cancel safety
///
/// That of `reading`.
pub(crate) async fn fleet<T>(
    at: At,
    key: &RenderedKey,
    reading: impl Future<Output = Result<T, CacheError>>,
) -> Result<T, CacheError> {
    let span = of_trip(at, key, "HGETALL", "fleet");
    let result = reading.instrument(span.clone()).await;
    ended(&span, result)
}

/// What goes over the network for one key.
fn of_trip(at: At, key: &RenderedKey, command: &'static str, step: &'static str) -> Span {
    let span = tracing::info_span!(
        "cache.store",
        otel.name = command,
        otel.kind = "client",
        db.system.name = "redis",
        db.operation.name = command,
        cache.step = step,
        cache.template = Empty,
        code.function.name = Empty,
        error.r#type = Empty,
        otel.status_code = Empty,
    );
    tell_of(&span, at, key);
    span
}

/// Notes how a trip has ended, if it has failed.
fn ended<T>(span: &Span, result: Result<T, CacheError>) -> Result<T, CacheError> {
    if let Err(error) = &result {
        fail(span, error);
    }
    result
}

fn fail(span: &Span, error: &CacheError) {
    let sort = match error.kind() {
        ErrorKind::Timeout => "timeout",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Rejected => "rejected",
        ErrorKind::Garbled => "garbled",
        ErrorKind::BreakerOpen => "breaker_open",
        _ => "_OTHER",
    };
    span.record("error.type", sort);
    span.record("otel.status_code", "ERROR");
}

/// A run of the body.
pub(crate) fn of_load(at: At, key: &RenderedKey) -> Span {
    let span = tracing::info_span!(
        "cache.load",
        cache.template = Empty,
        code.function.name = Empty,
    );
    tell_of(&span, at, key);
    span
}

/// A wait for another's load, with the looks at its lease.
pub(crate) fn of_wait(at: At, key: &RenderedKey) -> Span {
    let span = tracing::info_span!(
        "cache.wait",
        cache.template = Empty,
        code.function.name = Empty,
    );
    tell_of(&span, at, key);
    span
}

/// A run of the body that a hit is held against.
pub(crate) fn of_verification(at: At, key: &RenderedKey) -> Span {
    let span = tracing::info_span!(
        "cache.verify",
        cache.template = Empty,
        code.function.name = Empty,
    );
    tell_of(&span, at, key);
    span
}

/// What goes on when its caller has gone: a root, which follows from the span that the caller is in.
pub(crate) fn of_task(what: &'static str, at: At, key: &RenderedKey) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "cache.task",
        cache.task = what,
        cache.template = Empty,
        code.function.name = Empty,
    );
    span.follows_from(Span::current());
    tell_of(&span, at, key);
    span
}

/// Whose it is; and at the level of single calls, the key.
fn tell_of(span: &Span, at: At, key: &RenderedKey) {
    if span.is_disabled() {
        return;
    }
    if let At::Site(site) | At::Both(site) = at {
        span.record("code.function.name", site.function());
        // A cached function has one.
        span.record("cache.template", site.templates().first().copied());
    }
    tracing::debug!(parent: span, ?key, "a cached call");
}
