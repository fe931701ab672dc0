//! Fills an empty database with the same rows each time.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use super::Dataset;
use crate::error::DbError;

const SEED: u64 = 0x5eed;

/// The days on which orders were placed. They are fixed, and not "the year up to today", so that a dashboard shows
/// the same whenever the database was filled.
const FIRST_DAY: NaiveDate = day(2025, 7, 1);
const DAYS: i64 = 365;
const ORDERS_PER_USER: i64 = 8;

/// Rows per statement: `SQLite` takes 32 766 parameters.
const BATCH: i64 = 1_000;

/// The value of `user_version` once the database is filled.
const FILLED: i64 = 1;

const REGIONS: [&str; 24] = [
    "Alsace",
    "Andalusia",
    "Bavaria",
    "Bohemia",
    "Brittany",
    "Burgundy",
    "Carinthia",
    "Catalonia",
    "Flanders",
    "Galicia",
    "Jutland",
    "Lapland",
    "Lombardy",
    "Masovia",
    "Moravia",
    "Piedmont",
    "Saxony",
    "Scania",
    "Silesia",
    "Tuscany",
    "Tyrol",
    "Ulster",
    "Wales",
    "Zealand",
];
const SEGMENTS: [&str; 3] = ["business", "private", "reseller"];
const CATEGORIES: [&str; 10] = [
    "books",
    "electronics",
    "food",
    "garden",
    "health",
    "home",
    "music",
    "sports",
    "toys",
    "travel",
];
const FIRST_NAMES: [&str; 12] = [
    "Ada", "Barbara", "Claude", "Dennis", "Edsger", "Frances", "Grace", "Hedy", "John", "Ken",
    "Margaret", "Radia",
];
const LAST_NAMES: [&str; 12] = [
    "Allen", "Dijkstra", "Hamilton", "Hopper", "Lamarr", "Liskov", "Lovelace", "Neumann",
    "Perlman", "Ritchie", "Shannon", "Thompson",
];

const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => NaiveDate::MIN,
    }
}

/// See [`Database::fill`](super::Database::fill).
pub(super) async fn fill(
    pool: &SqlitePool,
    users: NonZeroU32,
    mut progress: impl FnMut(&str),
) -> Result<Dataset, DbError> {
    // One transaction: a start that is interrupted leaves an empty database, and the next one begins anew.
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?;
    if version != FILLED {
        sqlx::raw_sql(include_str!("schema.sql"))
            .execute(&mut *transaction)
            .await?;
        Seeder {
            connection: &mut transaction,
            random: StdRng::seed_from_u64(SEED),
            users: i64::from(users.get()),
        }
        .run(&mut progress)
        .await?;
        progress("building indexes");
        sqlx::raw_sql(include_str!("indexes.sql"))
            .execute(&mut *transaction)
            .await?;
        sqlx::raw_sql(&format!("PRAGMA user_version = {FILLED}"))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    describe(pool).await
}

async fn describe(pool: &SqlitePool) -> Result<Dataset, DbError> {
    let (users, orders, last_day): (u32, i64, Option<NaiveDate>) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM orders), (SELECT MAX(placed_on) FROM orders)",
    )
    .fetch_one(pool)
    .await?;
    Ok(Dataset {
        users,
        orders: orders.unsigned_abs(),
        last_day: last_day.unwrap_or(FIRST_DAY),
    })
}

struct Seeder<'a> {
    connection: &'a mut SqliteConnection,
    random: StdRng,
    users: i64,
}

impl Seeder<'_> {
    async fn run(mut self, progress: &mut impl FnMut(&str)) -> Result<(), DbError> {
        progress(&format!("{} users", self.users));
        self.users().await?;
        self.profiles().await?;
        progress(&format!("{} orders", self.users * ORDERS_PER_USER));
        self.orders().await?;
        progress(&format!("{} sessions and the settings", self.users));
        self.sessions().await?;
        self.settings().await
    }

    async fn users(&mut self) -> Result<(), DbError> {
        for ids in batches(self.users) {
            let random = &mut self.random;
            let mut insert =
                QueryBuilder::<Sqlite>::new("INSERT INTO users (id, name, email, created_on) ");
            insert.push_values(ids, |mut row, id| {
                let name = format!(
                    "{} {}",
                    pick(random, &FIRST_NAMES),
                    pick(random, &LAST_NAMES)
                );
                row.push_bind(id)
                    .push_bind(name)
                    .push_bind(format!("user{id}@example.com"))
                    .push_bind(FIRST_DAY - Days::new(random.random_range(0..2_000)));
            });
            insert.build().execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    async fn profiles(&mut self) -> Result<(), DbError> {
        for ids in batches(self.users) {
            let random = &mut self.random;
            let mut insert =
                QueryBuilder::<Sqlite>::new("INSERT INTO profiles (user_id, region, segment) ");
            insert.push_values(ids, |mut row, id| {
                row.push_bind(id)
                    .push_bind(pick(random, &REGIONS))
                    .push_bind(pick(random, &SEGMENTS));
            });
            insert.build().execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    /// In the order of their days, as they would have come in: so a user's orders lie scattered over the file.
    async fn orders(&mut self) -> Result<(), DbError> {
        let orders = self.users * ORDERS_PER_USER;
        for ids in batches(orders) {
            let random = &mut self.random;
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO orders (id, user_id, placed_on, category, amount_cents) ",
            );
            insert.push_values(ids, |mut row, id| {
                row.push_bind(id)
                    .push_bind(random.random_range(1..=self.users))
                    .push_bind(FIRST_DAY + TimeDelta::days((id - 1) * DAYS / orders))
                    .push_bind(pick(random, &CATEGORIES))
                    .push_bind(random.random_range(199..=49_999_i64));
            });
            insert.build().execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    /// One old login for each user. Nobody knows their tokens: they are the bulk that a real table would have.
    async fn sessions(&mut self) -> Result<(), DbError> {
        let created_at = (FIRST_DAY + TimeDelta::days(DAYS - 1))
            .and_time(NaiveTime::MIN)
            .and_utc();
        for ids in batches(self.users) {
            let random = &mut self.random;
            let mut insert = QueryBuilder::<Sqlite>::new(
                "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) ",
            );
            insert.push_values(ids, |mut row, id| {
                let mut token_hash = vec![0; 32];
                random.fill_bytes(&mut token_hash);
                row.push_bind(token_hash)
                    .push_bind(id)
                    .push_bind(created_at)
                    .push_bind(created_at + Days::new(1));
            });
            insert.build().execute(&mut *self.connection).await?;
        }
        Ok(())
    }

    async fn settings(&mut self) -> Result<(), DbError> {
        sqlx::query(
            "INSERT INTO settings (id, site_name, currency, free_shipping_cents, maintenance) \
             VALUES (1, 'Example Shop', 'EUR', 5000, FALSE)",
        )
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }
}

fn pick(random: &mut StdRng, words: &[&'static str]) -> &'static str {
    words[random.random_range(0..words.len())]
}

/// The ids from 1 to `rows`, as many at a time as one statement takes.
fn batches(rows: i64) -> impl Iterator<Item = RangeInclusive<i64>> {
    (0..=rows / BATCH)
        .map(move |batch| batch * BATCH + 1..=rows.min((batch + 1) * BATCH))
        .filter(|ids| !ids.is_empty())
}
