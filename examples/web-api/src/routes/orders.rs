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

const LONGEST_CATEGORY: usize = 50;

/// So low that no sum of orders comes near the end of the integers, which would fail every dashboard of the region.
const HIGHEST_AMOUNT_CENTS: i64 = 100_000_000;

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
    let category = body.order.category.trim();
    if category.is_empty() || category.chars().count() > LONGEST_CATEGORY {
        return Err(ApiError::Invalid("a category has 1 to 50 characters"));
    }
    if !(1..=HIGHEST_AMOUNT_CENTS).contains(&body.order.amount_cents) {
        return Err(ApiError::Invalid(
            "an amount is from 1 to 100 000 000 cents",
        ));
    }
    let date = body.date.unwrap_or_else(|| Utc::now().date_naive());
    let order = state
        .repository
        .place_order(user_id, date, &body.order)
        .await?;
    Ok((StatusCode::CREATED, Json(order)))
}
