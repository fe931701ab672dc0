//! Orders: written only; they are read as part of the dashboards.

use cache_runtime::invalidates;
use chrono::NaiveDate;

use super::Repository;
use crate::error::DbError;
use crate::model::{NewOrder, Order};

impl Repository {
    /// Places an order that counts for `date`.
    ///
    /// The user's dashboards, of all days, are dropped from the cache. Those of the neighbours in the region, whose averages the
    /// order moves too, follow when their five minutes are over: dropping a whole region for each order would leave nothing to cache.
    ///
    /// # Errors
    ///
    /// [`DbError::NoSuchUser`], and when the database fails.
    #[invalidates(tag = "orders:<user_id>")]
    pub async fn place_order(
        &self,
        user_id: i64,
        date: NaiveDate,
        order: &NewOrder,
    ) -> Result<Order, DbError> {
        sqlx::query_as(
            "INSERT INTO orders (user_id, placed_on, category, amount_cents) VALUES (?1, ?2, ?3, ?4) \
             RETURNING id, user_id, placed_on, category, amount_cents",
        )
        .bind(user_id)
        .bind(date)
        .bind(&order.category)
        .bind(order.amount_cents)
        .fetch_one(&self.database)
        .await
        .map_err(|error| DbError::of_user(error, user_id))
    }
}
