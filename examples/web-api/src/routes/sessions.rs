//! `/sessions`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::AppState;
use super::error::ApiError;
use super::extract::{self, Path};
use crate::model::Session;

/// The body of a login.
#[derive(Debug, Deserialize)]
pub(crate) struct LogIn {
    user_id: i64,
}

/// The answer to a login: the only time that the token is shown.
#[derive(Debug, Serialize)]
pub(crate) struct LoggedIn {
    token: String,
    #[serde(flatten)]
    session: Session,
}

/// `POST /sessions`
pub(crate) async fn log_in(
    State(state): State<AppState>,
    extract::Json(body): extract::Json<LogIn>,
) -> Result<(StatusCode, Json<LoggedIn>), ApiError> {
    let (token, session) = state.repository.create_session(body.user_id).await?;
    Ok((StatusCode::CREATED, Json(LoggedIn { token, session })))
}

/// `GET /sessions/{token}`
pub(crate) async fn show(
    State(state): State<AppState>,
    Path(token): Path<String>,
) -> Result<Json<Session>, ApiError> {
    let session = state.repository.find_session(&token).await?;
    session
        .filter(|session| session.is_live(Utc::now()))
        .map(Json)
        .ok_or(ApiError::NotFound("session"))
}

/// `DELETE /sessions/{token}`
pub(crate) async fn log_out(
    State(state): State<AppState>,
    Path(token): Path<String>,
) -> Result<StatusCode, ApiError> {
    if state.repository.delete_session(&token).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("session"))
    }
}
