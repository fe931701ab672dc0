//! One load.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use super::repository::Failure;
use crate::clock::Moment;
use crate::database::{Ask, Database};
use crate::keys::Place;
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
    /// The version that it brings, if that is of a snapshot.
    snapshot: Option<u64>,
    loads: Arc<Mutex<Vec<(u64, Load)>>>,
}

/// Notes a load also if it is dropped.
struct Running<'a> {
    source: &'a Source,
    key: u64,
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
        self.source
            .loads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((self.key, load));
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
            snapshot: None,
            loads: Arc::default(),
        }
    }

    /// The same of a snapshot that was taken when this was the version.
    pub(super) fn of_snapshot(self, version: u64) -> Self {
        Self {
            snapshot: Some(version),
            ..self
        }
    }

    /// The load of this key that was run, if one was.
    pub(super) fn load_run(&self, key: u64) -> Option<Load> {
        let loads = self.loads.lock().unwrap_or_else(PoisonError::into_inner);
        let own = loads.iter().find(|(of, _)| *of == key);
        own.map(|(_, load)| *load)
    }

    pub(super) fn life(&self) -> Duration {
        self.life
    }

    pub(super) async fn load(&self, key: u64) -> Result<Entry, Failure> {
        let loaded = self.load_all(&[Place::of(key)]).await?;
        loaded.into_values().next().ok_or(Failure::Asked)
    }

    /// One load of several keys.
    pub(super) async fn load_all(
        &self,
        places: &[Place],
    ) -> Result<HashMap<Place, Entry>, Failure> {
        let from = Moment::now();
        let running = places.iter().map(|at| Running {
            source: self,
            key: at.key,
            from,
            version: None,
        });
        let mut running: Vec<_> = running.collect();
        tokio::time::sleep(self.there).await;
        let asked = places.iter().map(async |at| match self.snapshot {
            Some(version) => Some(version),
            None => self.database.ask(Ask::Read { key: at.key }).await,
        });
        let versions = join_all(asked).await;
        tokio::time::sleep(self.back).await;
        let mut loaded = HashMap::new();
        for ((at, running), version) in places.iter().zip(&mut running).zip(versions) {
            let version = version.filter(|_| !self.fails).ok_or(Failure::Asked)?;
            running.version = Some(version);
            loaded.insert(*at, Entry::new(at.key, version));
        }
        Ok(loaded)
    }
}
