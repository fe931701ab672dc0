//! One mutation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::repository::Failure;
use crate::clock::Moment;
use crate::database::{Ask, Database, Write};

/// One mutation as it is to go, and as it went.
#[derive(Debug)]
pub(super) struct Change {
    database: Arc<Database>,
    write: Write,
    /// Before the write is sent.
    before: Duration,
    /// After its answer.
    after: Duration,
    /// When the body ended.
    ended: Mutex<Option<Moment>>,
}

impl Change {
    pub(super) fn new(
        database: Arc<Database>,
        write: Write,
        before: Duration,
        after: Duration,
    ) -> Self {
        Self {
            database,
            write,
            before,
            after,
            ended: Mutex::default(),
        }
    }

    /// When the body ended, if it did.
    pub(super) fn ended(&self) -> Option<Moment> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The new version of the first key that it writes.
    pub(super) async fn carry_out(&self) -> Result<u64, Failure> {
        tokio::time::sleep(self.before).await;
        let version = self.database.ask(Ask::Write(self.write)).await;
        tokio::time::sleep(self.after).await;
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Moment::now());
        version.ok_or(Failure::Asked)
    }
}
