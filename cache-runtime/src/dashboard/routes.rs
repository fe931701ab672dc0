//! What its requests are answered with.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Of;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use axum::http::request::Parts;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tracing::Instrument as _;

use super::access::is_own;
use super::operation::carry_out;
use super::process::Process;
use super::{Action, State, page as document};
use crate::audit::Severity;
use crate::doctor::Diagnosis;
use crate::race::within;

type Dashboard = Of<Arc<State>>;

/// How long a diagnosis is shown again.
const SHOWN_AGAIN: Duration = Duration::from_secs(1);

/// How long one stream of frames is. The page then asks for another: a viewer who may not look any more is sent nothing, and a
/// service that is told to end waits no longer than this for those who look.
const LONGEST_STREAM: Duration = Duration::from_secs(10);

/// How long the page waits before it asks for another.
const AGAIN: Duration = Duration::from_millis(200);

/// The last diagnosis, and when it was made. Whoever wants one waits for the look that is under way.
#[derive(Default)]
pub(super) struct LastDiagnosis(Mutex<Option<(Instant, Diagnosis)>>);

/// What may be looked at, made only if it may be.
fn view(state: &State, request: &Parts, look: impl FnOnce() -> Value) -> Response {
    match state.admit(request, &Action::View) {
        Ok(_) => fresh(look()),
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) fn fresh(body: Value) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

pub(super) async fn page(Of(state): Dashboard, request: Parts) -> Response {
    match state.admit(&request, &Action::View) {
        Ok(_) => document::response(),
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) async fn snapshot(Of(state): Dashboard, request: Parts) -> Response {
    view(
        &state,
        &request,
        || json!({ "snapshot": state.cache.snapshot(), "refused": state.refused(), "process": Process::own() }),
    )
}

pub(super) async fn changes(Of(state): Dashboard, request: Parts) -> Response {
    view(&state, &request, || {
        let changes = state.cache.changes();
        let told = changes
            .iter()
            .rev()
            .map(|change| json!({ "change": change, "text": change.what.to_string() }));
        json!({ "changes": told.collect::<Vec<_>>(), "refused": state.refused() })
    })
}

pub(super) async fn history(Of(state): Dashboard, request: Parts) -> Response {
    view(
        &state,
        &request,
        || json!({ "past": state.feed.past(), "process": Process::own() }),
    )
}

pub(super) async fn audit(Of(state): Dashboard, request: Parts) -> Response {
    view(&state, &request, || {
        let audit = crate::audit::audit();
        let findings = audit.findings().iter().map(|finding| {
            json!({
                "kind": finding.kind().to_string(),
                "severity": finding.severity().to_string(),
                "is_trouble": finding.severity() > Severity::Info,
                "text": finding.to_string(),
            })
        });
        let uses = audit.map().uses().map(|used| {
            json!({ "key": used.key(), "function": used.site().function(), "does": used.does() })
        });
        json!({ "findings": findings.collect::<Vec<_>>(), "uses": uses.collect::<Vec<_>>() })
    })
}

pub(super) async fn doctor(Of(state): Dashboard, request: Parts) -> Response {
    if let Err(refusal) = state.admit(&request, &Action::View) {
        return refusal.into_response();
    }
    // Held over the look: the next who asks is told the same.
    let mut last = state.diagnosis.0.lock().await;
    let diagnosis = match &*last {
        Some((at, diagnosis)) if at.elapsed() < SHOWN_AGAIN => diagnosis.clone(),
        _ => {
            let diagnosis = state.cache.doctor().await;
            *last = Some((Instant::now(), diagnosis.clone()));
            diagnosis
        }
    };
    fresh(json!({ "verdict": diagnosis.verdict(), "checks": diagnosis.checks }))
}

pub(super) async fn events(Of(state): Dashboard, request: Parts) -> Response {
    if let Err(refusal) = state.admit(&request, &Action::View) {
        return refusal.into_response();
    }
    let Some(viewer) = state.feed.view() else {
        let error = json!({ "error": "too many look at this dashboard; close another window" });
        return (StatusCode::SERVICE_UNAVAILABLE, Json(error)).into_response();
    };
    let sites = viewer.sites();
    let known = sites.len();
    let first = json!(sites).to_string();
    let first = Event::default().event("sites").retry(AGAIN).data(first);
    let ends = Instant::now() + LONGEST_STREAM;
    let frames = stream::unfold(viewer, move |mut viewer| async move {
        let left = ends.checked_duration_since(Instant::now())?;
        let frame = within(left, viewer.next()).await??;
        // Of one more call site: the next stream tells of it.
        let event = (frame.sites == known).then(|| Event::default().data(frame.text));
        Some((Ok::<_, Infallible>(event?), viewer))
    });
    // For nginx, which would send it when there is enough of it.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), "no")];
    let frames = stream::once(async { Ok(first) }).chain(frames);
    (unbuffered, Sse::new(frames)).into_response()
}

pub(super) async fn act(
    Of(state): Dashboard,
    request: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let action = match &body {
        Ok(body) => serde_json::from_slice::<Action>(body).map_err(|error| {
            let error = format!("no action of this dashboard: {error}");
            (StatusCode::BAD_REQUEST, error)
        }),
        Err(rejection) => Err((rejection.status(), rejection.body_text())),
    };
    let asked = action.as_ref().unwrap_or(&Action::Unknown);
    // Refused and counted before anything is said of what was sent.
    if let Err(refusal) = is_own(&request) {
        return state.refuse(asked, refusal).into_response();
    }
    let by = match state.admit(&request, asked) {
        Ok(by) => by,
        Err(refusal) => return refusal.into_response(),
    };
    let action = match action {
        Ok(action) => action,
        Err((status, error)) => return (status, Json(json!({ "error": error }))).into_response(),
    };
    let is_change = action.is_change();
    let doing = async move { carry_out(&state, &action, &by).await.into_response() };
    if !is_change {
        return doing.await;
    }
    // In a task: a viewer who goes away meanwhile does not cut it off half-way.
    let doing = tokio::spawn(doing.in_current_span());
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    doing.await.unwrap_or_else(|_| failed.into_response())
}
