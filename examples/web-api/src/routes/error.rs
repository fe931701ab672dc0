//! Errors as a client sees them: a status and a JSON body with one field, `error`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::DbError;

/// Why a request was not answered with what it asked for.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// There is no such thing.
    NotFound(&'static str),
    /// The request was understood, and a value in it cannot be accepted.
    Invalid(&'static str),
    /// The request could not be read.
    Rejected(StatusCode, String),
    /// The repository failed.
    Database(DbError),
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::Rejected(rejection.status(), rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::Rejected(rejection.status(), rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::Rejected(rejection.status(), rejection.body_text())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::NotFound(what) => (StatusCode::NOT_FOUND, format!("there is no such {what}")),
            Self::Invalid(why) => (StatusCode::UNPROCESSABLE_ENTITY, why.to_owned()),
            Self::Rejected(status, why) => (status, why),
            Self::Database(error @ DbError::NoSuchUser(_)) => {
                (StatusCode::NOT_FOUND, error.to_string())
            }
            Self::Database(error @ DbError::Busy) => {
                (StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            // What exactly failed is for the log and not for whoever asked.
            Self::Database(error) => {
                tracing::error!(%error, "a request failed");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal error".to_owned(),
                )
            }
        };
        (status, Json(json!({ "error": message }))).into_response()
    }
}
