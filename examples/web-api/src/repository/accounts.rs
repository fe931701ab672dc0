//! Accounts that are merged: several statements, which take effect together, and so do their invalidations.

use cache_runtime::{invalidates, try_transaction};

use super::Repository;
use crate::database::Transaction;
use crate::error::DbError;
use crate::model::User;

impl Repository {
    /// Closes the account of `from`, whose orders are those of `into` from here on. Returns the closed one.
    ///
    /// The transaction of the database begins and ends within that of the cache. So nothing is dropped from the cache before the commit:
    /// whoever read in between would load the old rows, and store them. And when this has returned, every page shows both.
    ///
    /// The mutations are fenced, because the `COMMIT` of a request that is cut off may be carried out later: until the fences have
    /// expired, nobody stores what it is about to change.
    ///
    /// # Errors
    ///
    /// [`DbError::NoSuchUser`] for either, and when the database fails. Then nothing has changed.
    pub async fn merge_accounts(&self, from: i64, into: i64) -> Result<User, DbError> {
        try_transaction(async {
            let mut transaction = self.database.begin().await?;
            let closed = self.close_account(&mut transaction, from).await?;
            self.hand_over_orders(&mut transaction, from, into).await?;
            // Whoever is not here yet, by an error or because the request was cut off, rolls back.
            transaction.commit().await?;
            Ok(closed)
        })
        .await
    }

    #[invalidates("user:<id>", fence)]
    async fn close_account(&self, transaction: &mut Transaction, id: i64) -> Result<User, DbError> {
        sqlx::query_as(
            "UPDATE users SET name = 'Closed account', revision = revision + 1 WHERE id = ?1 \
             RETURNING id, name, email, created_on, revision",
        )
        .bind(id)
        .fetch_optional(transaction.next())
        .await?
        .ok_or(DbError::NoSuchUser(id))
    }

    #[invalidates(tag = "orders:<from>", tag = "orders:<into>", fence)]
    async fn hand_over_orders(
        &self,
        transaction: &mut Transaction,
        from: i64,
        into: i64,
    ) -> Result<(), DbError> {
        sqlx::query("UPDATE orders SET user_id = ?2 WHERE user_id = ?1")
            .bind(from)
            .bind(into)
            .execute(transaction.next())
            .await
            .map_err(|error| DbError::of_user(error, into))?;
        Ok(())
    }
}
