//! Dashboards: a user against the region, over the last 90 days. The most expensive read of the service.

use cache_runtime::cached;
use chrono::{Days, NaiveDate};

use super::Repository;
use crate::error::DbError;
use crate::model::{CategoryShare, Dashboard, Standing, Week};

/// The days before the dashboard's own that count.
const WINDOW: Days = Days::new(89);

impl Repository {
    /// A user's dashboard for a day, or `None` if there is no such user.
    ///
    /// An order is part of the dashboards of 90 days: a tag drops them all. What only time changes may be ten minutes late, and nobody
    /// waits for it.
    ///
    /// # Errors
    ///
    /// When the database fails.
    #[cached(
        key = "dashboard:<user_id>:<date>",
        ttl = "5m",
        stale_while_revalidate = "10m",
        tags = ["orders:<user_id>"]
    )]
    pub async fn dashboard(
        &self,
        user_id: i64,
        date: NaiveDate,
    ) -> Result<Option<Dashboard>, DbError> {
        let since = date.checked_sub_days(WINDOW).unwrap_or(NaiveDate::MIN);
        let standing: Option<Standing> = sqlx::query_as(include_str!("dashboards/standing.sql"))
            .bind(user_id)
            .bind(since)
            .bind(date)
            .fetch_optional(&self.database)
            .await?;
        let Some(standing) = standing else {
            return Ok(None);
        };
        let categories: Vec<CategoryShare> =
            sqlx::query_as(include_str!("dashboards/categories.sql"))
                .bind(user_id)
                .bind(since)
                .bind(date)
                .fetch_all(&self.database)
                .await?;
        let weeks: Vec<Week> = sqlx::query_as(include_str!("dashboards/weeks.sql"))
            .bind(user_id)
            .bind(since)
            .bind(date)
            .fetch_all(&self.database)
            .await?;
        Ok(Some(Dashboard {
            user_id,
            date,
            standing,
            categories,
            weeks,
        }))
    }
}
