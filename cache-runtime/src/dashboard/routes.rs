//! What its requests are answered with.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State as Of;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::access::is_own;
use super::{Action, State, page as document};
use crate::audit::Severity;
use crate::changes::Changed;
use crate::doctor::Diagnosis;
use crate::error::{CacheError, ErrorKind};
use crate::key::Key;

type Dashboard = Of<Arc<State>>;

/// How long a diagnosis is shown again.
const SHOWN_AGAIN: Duration = Duration::from_secs(1);

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

fn fresh(body: Value) -> Response {
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
        || json!({ "snapshot": state.cache.snapshot(), "refused": state.refused() }),
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
    view(&state, &request, || json!({ "past": state.feed.past() }))
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
    let frames = stream::unfold(viewer, |mut viewer| async move {
        let frame = viewer.next().await?;
        Some((Ok::<_, Infallible>(Event::default().data(frame)), viewer))
    });
    Sse::new(frames)
        .keep_alive(KeepAlive::default())
        .into_response()
}

pub(super) async fn act(Of(state): Dashboard, request: Parts, body: Bytes) -> Response {
    let action = serde_json::from_slice::<Action>(&body);
    // Refused and counted before anything is said of what was sent.
    if let Err(refusal) = is_own(&request) {
        let action = action.unwrap_or(Action::View);
        return state.refuse(&action, refusal).into_response();
    }
    let action = match action {
        Ok(action) => action,
        Err(error) => {
            if let Err(refusal) = state.admit(&request, &Action::AdvanceEpoch) {
                return refusal.into_response();
            }
            return wrong(&format!("no action of this dashboard: {error}"));
        }
    };
    let by = match state.admit(&request, &action) {
        Ok(by) => by,
        Err(refusal) => return refusal.into_response(),
    };
    match carry_out(&state, &action, &by).await {
        Ok(done) => fresh(json!({ "done": done })),
        Err(Failure::Asked(error)) => wrong(&error),
        Err(Failure::Cache(error)) => {
            let error = json!({ "error": error.to_string() });
            (StatusCode::BAD_GATEWAY, Json(error)).into_response()
        }
    }
}

fn wrong(error: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response()
}

/// Why an action was not carried out.
enum Failure {
    Asked(String),
    Cache(CacheError),
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        Self::Cache(error)
    }
}

/// Carries out what somebody may do; what came of it.
async fn carry_out(state: &State, action: &Action, by: &str) -> Result<Value, Failure> {
    let cache = &state.cache;
    let key = |text: &str| Key::parse(text).map_err(|error| Failure::Asked(error.to_string()));
    let what = match action {
        Action::View => return Ok(Value::Null),
        Action::Inspect { key: text } => {
            let inspection = cache.inspect(&key(text)?).await?;
            return Ok(json!(inspection));
        }
        Action::Reveal { key: text } => {
            let value = cache.reveal(&key(text)?).await?;
            // That it was seen is kept; not which.
            let what = Changed::Controlled {
                action: "a value was looked at".to_owned(),
            };
            cache.inner.changes.note(what, Some(by));
            return Ok(match value {
                Some(value) => json!({ "value": value }),
                None => {
                    json!({ "value": null, "why": "there is none, or it cannot be decoded here" })
                }
            });
        }
        Action::Census => return Ok(json!(cache.census().await?)),
        Action::Switch { on } => {
            cache.set_mode_for(Action::mode(*on), Some(by))?;
            return Ok(json!(cache.mode()));
        }
        Action::SwitchFleet { on } => {
            cache.switch_fleet(*on, by).await?;
            return Ok(json!(Action::mode(*on)));
        }
        Action::SwitchTemplate { template, on } => {
            let switched = cache.switch_template(template, *on, by).await;
            switched.map_err(|error| match error.kind() {
                ErrorKind::Rejected => Failure::Asked(error.to_string()),
                _ => Failure::Cache(error),
            })?;
            return Ok(json!(Action::mode(*on)));
        }
        Action::InvalidateKey { key: text } => {
            cache.invalidate(&key(text)?).await?;
            "a key was invalidated"
        }
        Action::InvalidateTag { tag } => {
            cache.invalidate_tag(&key(tag)?).await?;
            "a tag was invalidated"
        }
        Action::InvalidateUnder { prefix } => {
            let under = prefix.trim_end_matches('*').trim_end_matches(':');
            cache.invalidate_pattern(&key(under)?).await?;
            "all keys that begin alike were invalidated"
        }
        Action::AdvanceEpoch => {
            cache.advance_epoch().await?;
            "the epoch was advanced"
        }
    };
    // Not which: the record is shown to whoever may look.
    let what = Changed::Controlled {
        action: what.to_owned(),
    };
    cache.inner.changes.note(what, Some(by));
    Ok(json!("done"))
}
