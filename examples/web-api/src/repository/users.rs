//! Users: read with most requests, rarely changed.

use cache_runtime::{cached, invalidates};

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
