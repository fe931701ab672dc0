//! `/users/{id}/orders`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{NaiveDate, Utc};
use serde::Deserialize;

use super::AppState;
use super::error::ApiError;
use super::extract::{self, Path};
use crate::model::{NewOrder, Order};

/// The body of an order.
#[derive(Debug, Deserialize)]
pub(crate) struct PlaceOrder {
    #[serde(flatten)]
    order: NewOrder,
    date: Option<NaiveDate>,
}

/// `POST /users/{id}/orders`; without a date, the order counts for today.
pub(crate) async fn place(
    State(state): State<AppState>,
    Path(user_id): Path<i64>,
    extract::Json(body): extract::Json<PlaceOrder>,
) -> Result<(StatusCode, Json<Order>), ApiError> {
    if body.order.category.trim().is_empty() {
        return Err(ApiError::Invalid("a category must not be empty"));
    }
    if body.order.amount_cents <= 0 {
        return Err(ApiError::Invalid("an amount must be greater than zero"));
    }
    let date = body.date.unwrap_or_else(|| Utc::now().date_naive());
    let order = state
        .repository
        .place_order(user_id, date, &body.order)
        .await?;
    Ok((StatusCode::CREATED, Json(order)))
}
