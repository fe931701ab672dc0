//! `/settings`

use axum::Json;
use axum::extract::State;

use super::AppState;
use super::error::ApiError;
use super::extract;
use crate::model::{Settings, SettingsUpdate};

const LONGEST_NAME: usize = 100;

/// `GET /settings`
pub(crate) async fn show(State(state): State<AppState>) -> Result<Json<Settings>, ApiError> {
    Ok(Json(state.repository.settings().await?))
}

/// `PUT /settings`
pub(crate) async fn update(
    State(state): State<AppState>,
    extract::Json(update): extract::Json<SettingsUpdate>,
) -> Result<Json<Settings>, ApiError> {
    let name = update.site_name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(ApiError::Invalid("a site name has 1 to 100 characters"));
    }
    let currency = update.currency.as_bytes();
    if currency.len() != 3 || !currency.iter().all(u8::is_ascii_uppercase) {
        return Err(ApiError::Invalid("a currency is three capital letters"));
    }
    if update.free_shipping_cents < 0 {
        return Err(ApiError::Invalid("an amount must not be negative"));
    }
    Ok(Json(state.repository.update_settings(&update).await?))
}
