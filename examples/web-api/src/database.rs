//! The database: one `SQLite` file, and the one place through which every statement passes.

mod executor;
mod seed;
mod transaction;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::error::DbError;

pub use transaction::Transaction;

/// A handle on the database. Clones share the connections and the counter.
///
/// `&Database` is an [`sqlx::Executor`] that counts what it executes.
#[derive(Clone, Debug)]
pub struct Database {
    pool: SqlitePool,
    queries: Arc<AtomicU64>,
}

/// What the database was filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// Users have the ids from 1 to this.
    pub users: u32,
    /// How many orders there were at the start.
    pub orders: u64,
    /// The day of the last order.
    pub last_day: NaiveDate,
}

impl Database {
    /// Opens the file, creating it if there is none.
    ///
    /// # Errors
    ///
    /// When the file cannot be created or is no `SQLite` database.
    pub async fn open(path: &Path, connections: u32) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5))
            .pragma("mmap_size", "268435456");
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .connect_with(options)
            .await?;
        Ok(Self {
            pool,
            queries: Arc::default(),
        })
    }

    /// Fills an empty database, always with the same rows for the same number of users; `progress` is told of each
    /// step. A database that is already filled stays as it is, so it may hold another number of users than asked for.
    ///
    /// # Errors
    ///
    /// When a statement fails; the database is then as empty as before.
    pub async fn fill(
        &self,
        users: NonZeroU32,
        progress: impl FnMut(&str),
    ) -> Result<Dataset, DbError> {
        seed::fill(&self.pool, users, progress).await
    }

    /// How many statements were executed through this handle and its clones. Filling the database does not count.
    #[must_use]
    pub fn queries_executed(&self) -> u64 {
        self.queries.load(Ordering::Relaxed)
    }

    /// Waits for running statements and closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
