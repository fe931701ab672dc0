//! The data the service serves; everything here can be cached.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

/// A registered user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct User {
    /// The primary key.
    pub id: i64,
    /// The name shown to others.
    pub name: String,
    /// The address, one account each.
    pub email: String,
    /// The day of the registration.
    pub created_on: NaiveDate,
    /// Grows by one with each change, so that a reader can tell an older copy from a newer one.
    pub revision: i64,
}

/// An order as it was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct Order {
    /// The primary key; later orders have higher ones.
    pub id: i64,
    /// Who placed it.
    pub user_id: i64,
    /// The day it counts for.
    pub placed_on: NaiveDate,
    /// What was bought.
    pub category: String,
    /// What was paid.
    pub amount_cents: i64,
}

/// An order to be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOrder {
    /// What is bought.
    pub category: String,
    /// What is paid.
    pub amount_cents: i64,
}

/// What a user bought in the 90 days up to a day, against the people of the same region.
///
/// It holds nothing that a rename changes: else each rename would have to invalidate dashboards too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    /// Whose.
    pub user_id: i64,
    /// The last of the 90 days.
    pub date: NaiveDate,
    /// The user's place among the region.
    pub standing: Standing,
    /// Revenue by category, the user's highest first.
    pub categories: Vec<CategoryShare>,
    /// Revenue by week, the oldest first.
    pub weeks: Vec<Week>,
}

/// A user's place among the people of the same region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromRow)]
pub struct Standing {
    /// The region compared with.
    pub region: String,
    /// How many people live there, the user included.
    pub peers: i64,
    /// The user's orders in the window.
    pub orders: i64,
    /// Their sum.
    pub revenue_cents: i64,
    /// The highest id among them.
    pub latest_order: Option<i64>,
    /// 1 for the highest revenue of the region.
    pub rank: i64,
    /// Which part of the others spent less: 0 to 1.
    pub percentile: f64,
    /// Revenue per person of the region.
    pub average_cents: f64,
    /// The revenue that half of the region does not reach.
    pub median_cents: i64,
}

/// What one category is worth to a user and to the region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromRow)]
pub struct CategoryShare {
    /// The category.
    pub category: String,
    /// What the user spent on it.
    pub revenue_cents: i64,
    /// Its part of what the user spent.
    pub share: f64,
    /// Its part of what the region spent.
    pub region_share: f64,
}

/// One of the last 13 weeks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromRow)]
pub struct Week {
    /// 0 for the week that ends on the dashboard's day, 1 for the one before.
    pub weeks_ago: i64,
    /// What the user spent.
    pub revenue_cents: i64,
    /// What a person of the region spent on average.
    pub average_cents: f64,
    /// The region's average over this and the three weeks before.
    pub moving_average_cents: f64,
}

/// The settings of the whole service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct Settings {
    /// The name in the page title.
    pub site_name: String,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// Orders from here on are shipped free of charge.
    pub free_shipping_cents: i64,
    /// Whether a notice of maintenance is shown.
    pub maintenance: bool,
    /// Grows by one with each change.
    pub revision: i64,
}

/// New values for the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsUpdate {
    /// See [`Settings::site_name`].
    pub site_name: String,
    /// See [`Settings::currency`].
    pub currency: String,
    /// See [`Settings::free_shipping_cents`].
    pub free_shipping_cents: i64,
    /// See [`Settings::maintenance`].
    pub maintenance: bool,
}

/// A login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct Session {
    /// Who logged in.
    pub user_id: i64,
    /// When.
    pub created_at: DateTime<Utc>,
    /// The end of the session, logout aside.
    pub expires_at: DateTime<Utc>,
}

impl Session {
    /// Whether the session has not expired.
    ///
    /// Callers ask this of each session they read. A condition in the query would not do: an entry of the cache
    /// can be older than the answer to "is it still before `expires_at`?".
    #[must_use]
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        now < self.expires_at
    }
}
