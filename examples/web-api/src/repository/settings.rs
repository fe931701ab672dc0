//! The settings of the whole service: read by every page, changed a few times a day.

use cache_runtime::{cached, write_through};

use super::Repository;
use crate::error::DbError;
use crate::model::{Settings, SettingsUpdate};

impl Repository {
    /// The settings.
    ///
    /// # Errors
    ///
    /// When the database fails.
    #[cached(key = "settings:global", ttl = "10m")]
    pub async fn settings(&self) -> Result<Settings, DbError> {
        let settings = sqlx::query_as(
            "SELECT site_name, currency, free_shipping_cents, maintenance, revision FROM settings WHERE id = 1",
        )
        .fetch_one(&self.database)
        .await?;
        Ok(settings)
    }

    /// Replaces the settings and returns what they are now, which is what the next call of [`settings`](Self::settings) hits.
    ///
    /// # Errors
    ///
    /// When the database fails.
    #[write_through(key = "settings:global", ttl = "10m")]
    pub async fn update_settings(&self, update: &SettingsUpdate) -> Result<Settings, DbError> {
        let settings = sqlx::query_as(
            "UPDATE settings SET site_name = ?1, currency = ?2, free_shipping_cents = ?3, maintenance = ?4, \
             revision = revision + 1 WHERE id = 1 \
             RETURNING site_name, currency, free_shipping_cents, maintenance, revision",
        )
        .bind(&update.site_name)
        .bind(&update.currency)
        .bind(update.free_shipping_cents)
        .bind(update.maintenance)
        .fetch_one(&self.database)
        .await?;
        Ok(settings)
    }
}
