//! One load.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::repository::Failure;
use crate::clock::Moment;
use crate::database::{Ask, Database};
use crate::record::Load;
use crate::value::Entry;

/// One load as it is to go, and as it went. A clone is the same one, for a load that outlives its call.
#[derive(Clone, Debug)]
pub(super) struct Source {
    database: Arc<Database>,
    /// On the way to the database.
    there: Duration,
    /// And back: what was read grows old meanwhile.
    back: Duration,
    fails: bool,
    /// How long what it brings lives.
    life: Duration,
    load: Arc<Mutex<Option<Load>>>,
}

/// Notes a load also if it is dropped.
struct Running<'a> {
    source: &'a Source,
    from: Moment,
    version: Option<u64>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let load = Load {
            from: self.from,
            to: Moment::now(),
            version: self.version,
        };
        *self
            .source
            .load
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(load);
    }
}

impl Source {
    pub(super) fn new(
        database: Arc<Database>,
        there: Duration,
        back: Duration,
        fails: bool,
        life: Duration,
    ) -> Self {
        Self {
            database,
            there,
            back,
            fails,
            life,
            load: Arc::default(),
        }
    }

    /// The load that was run, if one was.
    pub(super) fn load_run(&self) -> Option<Load> {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn life(&self) -> Duration {
        self.life
    }

    pub(super) async fn load(&self, key: u64) -> Result<Entry, Failure> {
        let mut running = Running {
            source: self,
            from: Moment::now(),
            version: None,
        };
        tokio::time::sleep(self.there).await;
        let version = self.database.ask(Ask::Read { key }).await;
        tokio::time::sleep(self.back).await;
        let version = version.filter(|_| !self.fails).ok_or(Failure::Asked)?;
        running.version = Some(version);
        Ok(Entry::new(key, version))
    }
}
