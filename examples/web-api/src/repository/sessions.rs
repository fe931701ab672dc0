//! Sessions: looked up with each request of somebody who is logged in.

use cache_runtime::{cached, invalidates};
use chrono::{TimeDelta, Utc};
use hmac_sha256::Hash;
use rand::distr::{Alphanumeric, SampleString};

use super::Repository;
use crate::error::DbError;
use crate::model::Session;

/// How long a login lasts.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// 190 bits: no token is ever guessed, or drawn twice.
const TOKEN_LENGTH: usize = 32;

impl Repository {
    /// Logs a user in and returns the token of the new session.
    ///
    /// There is no password to check: who somebody is is not what this example is about.
    ///
    /// # Errors
    ///
    /// [`DbError::NoSuchUser`], and when the database fails.
    pub async fn create_session(&self, user_id: i64) -> Result<(String, Session), DbError> {
        let token = Alphanumeric.sample_string(&mut rand::rng(), TOKEN_LENGTH);
        let now = Utc::now();
        let session = sqlx::query_as(
            "INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4) \
             RETURNING user_id, created_at, expires_at",
        )
        .bind(hash(&token))
        .bind(user_id)
        .bind(now)
        .bind(now + LIFETIME)
        .fetch_one(&self.database)
        .await
        .map_err(|error| DbError::of_user(error, user_id))?;
        Ok((token, session))
    }

    /// The session of a token. It may have expired: see [`Session::is_live`].
    ///
    /// # Errors
    ///
    /// When the database fails.
    #[cached(key = "session:<token:hash>", ttl = "24h")]
    pub async fn find_session(&self, token: &str) -> Result<Option<Session>, DbError> {
        let session = sqlx::query_as(
            "SELECT user_id, created_at, expires_at FROM sessions WHERE token_hash = ?1",
        )
        .bind(hash(token))
        .fetch_optional(&self.database)
        .await?;
        Ok(session)
    }

    /// Logs out: the token is worth nothing from here on. Returns whether there was such a session.
    ///
    /// # Errors
    ///
    /// When the database fails.
    #[invalidates("session:<token:hash>")]
    pub async fn delete_session(&self, token: &str) -> Result<bool, DbError> {
        let deleted = sqlx::query("DELETE FROM sessions WHERE token_hash = ?1")
            .bind(hash(token))
            .execute(&self.database)
            .await?;
        Ok(deleted.rows_affected() > 0)
    }
}

/// What stands in the table in place of the token.
fn hash(token: &str) -> Vec<u8> {
    Hash::hash(token.as_bytes()).to_vec()
}
