//! `/users`

use axum::Json;
use axum::extract::State;
use serde::Deserialize;

use super::AppState;
use super::error::ApiError;
use super::extract::{self, Path, Query};
use crate::model::User;

const LONGEST_NAME: usize = 100;
const MOST_AT_A_TIME: usize = 100;

/// `GET /users/{id}`
pub(crate) async fn show(
    State(state): State<AppState>,
    Path(id): Path<i64>,
) -> Result<Json<User>, ApiError> {
    let user = state.repository.find_user(id).await?;
    user.map(Json).ok_or(ApiError::NotFound("user"))
}

/// Which users are asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Which {
    ids: String,
}

/// `GET /users?ids=1,2,3`
pub(crate) async fn list(
    State(state): State<AppState>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<User>>, ApiError> {
    let ids: Result<Vec<i64>, _> = which.ids.split(',').map(str::parse).collect();
    let ids = ids.map_err(|_| ApiError::Invalid("`ids` are numbers, separated by commas"))?;
    let found = state.repository.find_users(at_a_time(&ids)?).await?;
    let mut users: Vec<User> = found.into_values().collect();
    users.sort_unstable_by_key(|user| user.id);
    Ok(Json(users))
}

/// `POST /users/anonymise`, with an array of ids
pub(crate) async fn anonymise(
    State(state): State<AppState>,
    extract::Json(ids): extract::Json<Vec<i64>>,
) -> Result<Json<u64>, ApiError> {
    let done = state.repository.anonymise_users(at_a_time(&ids)?).await?;
    Ok(Json(done))
}

fn at_a_time(ids: &[i64]) -> Result<&[i64], ApiError> {
    if ids.len() > MOST_AT_A_TIME {
        return Err(ApiError::Invalid("at most 100 users at a time"));
    }
    Ok(ids)
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
