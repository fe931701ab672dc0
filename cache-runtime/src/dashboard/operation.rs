//! An operation: an action of somebody who may do it, carried out.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::process::Process;
use super::reach::Reach;
use super::routes::fresh;
use super::{Action, State};
use crate::changes::Changed;
use crate::error::{CacheError, ErrorKind};
use crate::key::Key;
use crate::switch::Mode;

/// What came of it.
pub(super) enum Outcome {
    Done(Value),
    /// An invalidation that the store did not take, and will be asked for until it does.
    Queued(CacheError),
}

/// Why it was not carried out.
pub(super) struct Failure {
    status: StatusCode,
    error: String,
}

impl Failure {
    /// What was asked for cannot be.
    fn asked(error: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// It cannot be now, or here.
    fn conflict(error: impl ToString) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    #[allow(
        clippy::needless_pass_by_value,
        reason = "most are texts that are made for it"
    )]
    fn new(status: StatusCode, error: impl ToString) -> Self {
        Self {
            status,
            error: error.to_string(),
        }
    }
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        match error.kind() {
            ErrorKind::Off => Self::conflict(error),
            _ => Self::new(StatusCode::BAD_GATEWAY, error),
        }
    }
}

/// What came of an action.
pub(super) struct Answer(Result<Outcome, Failure>);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self.0 {
            Ok(Outcome::Done(done)) => fresh(json!({ "done": done })),
            Ok(Outcome::Queued(error)) => {
                let why = format!(
                    "the store did not take it: {error}. This process keeps it and asks again until the store does, and reads past the \
                     cache for what it concerns"
                );
                let queued = fresh(json!({ "done": "queued", "why": why }));
                (StatusCode::ACCEPTED, queued).into_response()
            }
            Err(Failure { status, error }) => {
                (status, Json(json!({ "error": error }))).into_response()
            }
        }
    }
}

/// Carries out what `by` may do.
///
/// # Cancel safety
///
/// What was begun is on record. An invalidation is delivered all the same.
pub(super) async fn carry_out(state: &State, action: &Action, by: &str) -> Answer {
    Answer(run(state, action, by).await)
}

async fn run(state: &State, action: &Action, by: &str) -> Result<Outcome, Failure> {
    let cache = &state.cache;
    possible(cache.mode(), action)?;
    // Before it is done: what is cut off or fails may be done all the same. Without the key: whoever may look is shown the record.
    let note = |what: &str| {
        let action = what.to_owned();
        cache
            .inner
            .changes
            .note(Changed::Controlled { action }, Some(by));
    };
    let invalidated = match action {
        Action::View | Action::Unknown => return Ok(Outcome::Done(Value::Null)),
        Action::Inspect { key: text } => {
            let inspection = cache.inspect(&key(text)?).await?;
            return Ok(Outcome::Done(json!(inspection)));
        }
        Action::Reveal { key: text } => {
            let key = key(text)?;
            note("a value is looked at");
            let value = cache.reveal(&key).await?;
            return Ok(Outcome::Done(match value {
                Some(value) => json!({ "value": shown(&value) }),
                None => {
                    json!({ "value": null, "why": "there is none, or it cannot be decoded here" })
                }
            }));
        }
        Action::Census => return Ok(Outcome::Done(json!(cache.census().await?))),
        Action::Switch { on, process } => {
            let own = Process::own();
            if process.as_ref().is_some_and(|meant| *meant != own.id) {
                return Err(Failure::conflict(
                    "this request reached another process than the one that the page shows; nothing was done. Try again, or switch the fleet",
                ));
            }
            cache.set_mode_for(Action::mode(*on), Some(by))?;
            let done = if *on && !cache.fleet().on {
                "still off, because the fleet is".to_owned()
            } else {
                cache.mode().to_string()
            };
            return Ok(Outcome::Done(json!(done)));
        }
        Action::SwitchFleet { on } => {
            cache.switch_fleet(*on, by).await?;
            return Ok(Outcome::Done(json!(Action::mode(*on))));
        }
        Action::SwitchTemplate { template, on } => {
            let switched = cache.switch_template(template, *on, by).await;
            switched.map_err(|error| match error.kind() {
                ErrorKind::Rejected | ErrorKind::UnknownTemplate => Failure::asked(error),
                _ => Failure::from(error),
            })?;
            return Ok(Outcome::Done(json!(Action::mode(*on))));
        }
        Action::InvalidateKey { key: text } => {
            let key = key(text)?;
            note("a key is invalidated");
            cache.invalidate(&key).await
        }
        Action::InvalidateTag { tag } => {
            let tag = key(tag)?;
            note("everything with a tag is invalidated");
            cache.invalidate_tag(&tag).await
        }
        Action::InvalidateUnder { prefix } => {
            let under = prefix.strip_suffix('*').unwrap_or(prefix);
            let under = key(under.strip_suffix(':').unwrap_or(under))?;
            note("all keys that begin alike are invalidated");
            cache.invalidate_pattern(&under).await
        }
        Action::InvalidateTemplate { template } => {
            let reach = Reach::of(template).map_err(Failure::asked)?;
            note(&format!("all keys of `{template}` are invalidated"));
            reach.invalidate(cache).await
        }
        Action::AdvanceEpoch => {
            note("the namespace is emptied");
            cache.advance_epoch().await
        }
    };
    match invalidated {
        Ok(()) => Ok(Outcome::Done(json!("done"))),
        // Detached meanwhile.
        Err(error) if error.kind() == ErrorKind::Off => Err(error.into()),
        Err(error) => Ok(Outcome::Queued(error)),
    }
}

/// Whether an action can be carried out in this mode at all: detached, the store is not asked, and must not be trusted before the
/// process is on again.
fn possible(mode: Mode, action: &Action) -> Result<(), Failure> {
    match action {
        Action::View | Action::Unknown | Action::Switch { on: true, .. } => Ok(()),
        _ if mode != Mode::Detached => Ok(()),
        Action::Switch { .. } => Err(Failure::conflict(
            "this process is detached already, which is further off: nothing was done",
        )),
        _ => Err(Failure::conflict(
            "this process is detached (`REDIS_ENABLED=false`): it does not contact the store, so nothing was done. Ask another process, or \
             switch this one on",
        )),
    }
}

/// A key as a person writes it.
fn key(text: &str) -> Result<Key, Failure> {
    if text.is_empty() {
        return Err(Failure::asked(
            "the key is empty: write one as it stands in the store, such as `user:42`",
        ));
    }
    Key::parse(text).map_err(Failure::asked)
}

/// A value as text: a number of JSON would be rounded by the page.
fn shown(value: &Value) -> String {
    // How much longer lines and indentation may make it.
    const LONGEST: usize = 1 << 20;
    let pretty = serde_json::to_string_pretty(value).ok();
    let pretty = pretty.filter(|text| text.len() <= LONGEST);
    pretty.unwrap_or_else(|| value.to_string())
}
