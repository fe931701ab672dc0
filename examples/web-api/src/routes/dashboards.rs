//! `/dashboards/{user_id}`

use axum::Json;
use axum::extract::State;
use chrono::{NaiveDate, Utc};
use serde::Deserialize;

use super::AppState;
use super::error::ApiError;
use super::extract::{Path, Query};
use crate::model::Dashboard;

/// Which dashboard.
#[derive(Debug, Deserialize)]
pub(crate) struct Day {
    date: Option<NaiveDate>,
}

/// `GET /dashboards/{user_id}?date=2026-06-30`; without a date, today's.
pub(crate) async fn show(
    State(state): State<AppState>,
    Path(user_id): Path<i64>,
    Query(day): Query<Day>,
) -> Result<Json<Dashboard>, ApiError> {
    let date = day.date.unwrap_or_else(|| Utc::now().date_naive());
    let dashboard = state.repository.dashboard(user_id, date).await?;
    dashboard.map(Json).ok_or(ApiError::NotFound("user"))
}
