//! A transaction: statements that take effect together, or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{Sqlite, SqliteConnection};

use super::Database;
use crate::error::DbError;

/// One that has begun. Dropped, it is rolled back.
#[derive(Debug)]
pub struct Transaction {
    transaction: sqlx::Transaction<'static, Sqlite>,
    queries: Arc<AtomicU64>,
}

impl Database {
    /// Begins a transaction that writes: it has the lock from here on, and no statement of it has to wait for another writer.
    ///
    /// # Errors
    ///
    /// When no connection, or not the lock, becomes free in time.
    pub async fn begin(&self) -> Result<Transaction, DbError> {
        // In a task of its own: a request that is dropped between the BEGIN and the answer to it would leave the connection within a
        // transaction that nobody ends. The task gets the answer, and drops what nobody waits for.
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with("BEGIN IMMEDIATE").await });
        let transaction = begun
            .await
            .unwrap_or_else(|_| Err(sqlx::Error::WorkerCrashed))?;
        Ok(Transaction {
            transaction,
            queries: self.queries.clone(),
        })
    }
}

impl Transaction {
    /// What the next statement is executed on. It is counted.
    pub(crate) fn next(&mut self) -> &mut SqliteConnection {
        self.queries.fetch_add(1, Ordering::Relaxed);
        &mut self.transaction
    }

    /// Lets it take effect.
    ///
    /// # Errors
    ///
    /// When the database fails: whether it has taken effect is then not known.
    pub async fn commit(self) -> Result<(), DbError> {
        Ok(self.transaction.commit().await?)
    }
}
