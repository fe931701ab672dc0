//! Users: read with most requests, rarely changed.

use std::collections::HashMap;

use cache_runtime::{cached, invalidates};

use serde_json::json;

use super::Repository;
use crate::error::DbError;
use crate::model::User;

impl Repository {
    /// The user with this id.
    ///
    /// # Errors
    ///
    /// When the database fails.
    #[cached(key = "user:<id>", ttl = "1h")]
    pub async fn find_user(&self, id: i64) -> Result<Option<User>, DbError> {
        let user =
            sqlx::query_as("SELECT id, name, email, created_on, revision FROM users WHERE id = ?1")
                .bind(id)
                .fetch_optional(&self.database)
                .await?;
        Ok(user)
    }

    /// The users with these ids, as far as there are any. The entries are those of [`find_user`](Self::find_user).
    ///
    /// # Errors
    ///
    /// When the database fails.
    #[cached(batch, key = "user:<id>", ttl = "1h")]
    pub async fn find_users(&self, ids: &[i64]) -> Result<HashMap<i64, User>, DbError> {
        let users: Vec<User> = sqlx::query_as(
            "SELECT id, name, email, created_on, revision FROM users \
             WHERE id IN (SELECT value FROM json_each(?1))",
        )
        .bind(json!(ids).to_string())
        .fetch_all(&self.database)
        .await?;
        Ok(users.into_iter().map(|user| (user.id, user)).collect())
    }

    /// Takes their names and addresses from users, and returns how many there were.
    ///
    /// # Errors
    ///
    /// When the database fails.
    #[invalidates("user:<ids>")]
    pub async fn anonymise_users(&self, ids: &[i64]) -> Result<u64, DbError> {
        let done = sqlx::query(
            "UPDATE users SET name = 'Anonymous', email = 'anonymous' || id || '@example.invalid', \
             revision = revision + 1 WHERE id IN (SELECT value FROM json_each(?1))",
        )
        .bind(json!(ids).to_string())
        .execute(&self.database)
        .await?;
        Ok(done.rows_affected())
    }

    /// Gives a user another name and returns the user with it.
    ///
    /// # Errors
    ///
    /// [`DbError::NoSuchUser`], and when the database fails.
    #[invalidates("user:<id>")]
    pub async fn rename_user(&self, id: i64, name: &str) -> Result<User, DbError> {
        sqlx::query_as(
            "UPDATE users SET name = ?2, revision = revision + 1 WHERE id = ?1 \
             RETURNING id, name, email, created_on, revision",
        )
        .bind(id)
        .bind(name)
        .fetch_optional(&self.database)
        .await?
        .ok_or(DbError::NoSuchUser(id))
    }
}
