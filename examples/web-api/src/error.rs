//! What can go wrong in the repository.

use std::sync::Arc;

/// Why a repository function failed.
///
/// It is `Clone` because one failed query may answer several callers: those who wait for the same load of a
/// cached function all receive its error.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbError {
    /// The statement refers to a user who does not exist.
    #[error("there is no user {0}")]
    NoSuchUser(i64),
    /// No connection became free in time, or another writer held the lock for too long.
    #[error("the database is busy")]
    Busy,
    /// The database refused the statement or could not be read.
    #[error("the database failed: {0}")]
    Failed(#[source] Arc<sqlx::Error>),
}

/// The database's primary result codes for "locked by another connection"; an extended code holds its primary one in
/// the lowest eight bits.
const SQLITE_BUSY: u32 = 5;
const SQLITE_LOCKED: u32 = 6;

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        let busy = match &error {
            sqlx::Error::PoolTimedOut => true,
            sqlx::Error::Database(error) => error
                .code()
                .and_then(|code| code.parse::<u32>().ok())
                .is_some_and(|code| matches!(code & 0xff, SQLITE_BUSY | SQLITE_LOCKED)),
            _ => false,
        };
        if busy {
            Self::Busy
        } else {
            Self::Failed(Arc::new(error))
        }
    }
}

impl DbError {
    /// The error of a statement whose only foreign key is this user.
    pub(crate) fn of_user(error: sqlx::Error, user_id: i64) -> Self {
        if matches!(&error, sqlx::Error::Database(error) if error.is_foreign_key_violation()) {
            Self::NoSuchUser(user_id)
        } else {
            error.into()
        }
    }
}
