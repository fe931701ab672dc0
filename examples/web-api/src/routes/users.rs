//! `/users/{id}`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::AppState;
use super::error::ApiError;
use super::extract::{self, Path};
use crate::model::User;

const LONGEST_NAME: usize = 100;

/// `GET /users/{id}`
pub(crate) async fn show(
    State(state): State<AppState>,
    Path(id): Path<i64>,
) -> Result<Json<User>, ApiError> {
    let user = state.repository.find_user(id).await?;
    user.map(Json).ok_or(ApiError::NotFound("user"))
}

/// The body of a rename.
#[derive(Debug, Deserialize)]
pub(crate) struct Rename {
    name: String,
}

/// The body of a merge.
#[derive(Debug, Deserialize)]
pub(crate) struct Merge {
    into: i64,
}

/// `POST /users/{id}/merge`
pub(crate) async fn merge(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    extract::Json(body): extract::Json<Merge>,
) -> Result<Json<User>, ApiError> {
    if id == body.into {
        return Err(ApiError::Invalid("an account is merged into another"));
    }
    Ok(Json(state.repository.merge_accounts(id, body.into).await?))
}

/// `PUT` or `PATCH /users/{id}`
pub(crate) async fn rename(
    State(state): State<AppState>,
    Path(id): Path<i64>,
    extract::Json(body): extract::Json<Rename>,
) -> Result<Json<User>, ApiError> {
    let name = body.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(ApiError::Invalid("a name has 1 to 100 characters"));
    }
    Ok(Json(state.repository.rename_user(id, name).await?))
}
