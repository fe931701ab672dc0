//! The annotated functions, as a service has them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cache_runtime::{
    CacheError, InvalidationError, Key, Policy, cached, global, invalidates, write_through,
};

use crate::clock::Moment;
use crate::database::{Ask, Database, Write};
use crate::record::Load;
use crate::value::Entry;

/// Why a function failed.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The database was asked to fail, and did.
    Asked,
    /// What `on_error = "fail"` asks for.
    Refused,
    /// An error of the cache, which no function here returns unless it is told to be careless.
    Cache(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("the database failed"),
            Self::Refused => f.write_str("the invalidation is not in force"),
            Self::Cache(error) => write!(f, "the cache failed: {error}"),
        }
    }
}

impl<T> From<InvalidationError<T>> for Failure {
    fn from(_: InvalidationError<T>) -> Self {
        Self::Refused
    }
}

impl From<CacheError> for Failure {
    fn from(error: CacheError) -> Self {
        Self::Cache(error.to_string())
    }
}

/// One load as it is to go, and as it went.
#[derive(Debug)]
pub(super) struct Source {
    database: Arc<Database>,
    /// On the way to the database.
    there: Duration,
    /// And back: what was read grows old meanwhile.
    back: Duration,
    fails: bool,
    load: Mutex<Option<Load>>,
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
    ) -> Self {
        Self {
            database,
            there,
            back,
            fails,
            load: Mutex::default(),
        }
    }

    /// The load that was run, if one was.
    pub(super) fn load_run(&self) -> Option<Load> {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self, key: u64) -> Result<Entry, Failure> {
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

#[cached(key = "hot:<key>", ttl = "1h", skip(source))]
pub(super) async fn find(source: &Source, key: u64) -> Result<Entry, Failure> {
    source.load(key).await
}

/// Slots that no mutation names: only their tag tells that they are void.
#[cached(key = "tagged:<key>", ttl = "1h", tags = ["of:<key>"], skip(source))]
pub(super) async fn find_tagged(source: &Source, key: u64) -> Result<Entry, Failure> {
    source.load(key).await
}

/// The same slots without a macro, and values that expire all the time.
pub(super) async fn find_directly(source: &Source, key: u64) -> Result<Entry, Failure> {
    const BRIEF: Policy = Policy::new(Duration::from_millis(150));
    global()
        .get_or_load(&Key::of("hot").part(&key), BRIEF, || source.load(key))
        .await
}

/// The same slots, with values kept in this process for a while.
#[cached(key = "hot:<key>", ttl = "1h", local_ttl = "300ms", skip(source))]
pub(super) async fn find_nearby(source: &Source, key: u64) -> Result<Entry, Failure> {
    source.load(key).await
}

/// Kept for much longer.
#[cached(key = "hot:<key>", ttl = "1h", local_ttl = "1h", skip(source))]
pub(super) async fn find_nearby_for_long(source: &Source, key: u64) -> Result<Entry, Failure> {
    source.load(key).await
}

/// What a caller must not do: the cache's errors become his own.
pub(super) async fn find_carelessly(source: &Source, key: u64) -> Result<Entry, Failure> {
    const HOUR: Policy = Policy::new(Duration::from_secs(3600));
    match global().get(&Key::of("hot").part(&key), HOUR).await? {
        Some(entry) => Ok(entry),
        None => find(source, key).await,
    }
}

/// What the macro does not let pass: a key that does not cover its argument.
pub(super) async fn find_by_a_wrong_key(source: &Source, key: u64) -> Result<Entry, Failure> {
    const HOUR: Policy = Policy::new(Duration::from_secs(3600));
    global()
        .get_or_load(&Key::of("hot").part(&(key / 2)), HOUR, || source.load(key))
        .await
}

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

    async fn carry_out(&self) -> Result<u64, Failure> {
        tokio::time::sleep(self.before).await;
        let version = self.database.ask(Ask::Write(self.write)).await;
        tokio::time::sleep(self.after).await;
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Moment::now());
        version.ok_or(Failure::Asked)
    }
}

#[invalidates("hot:<key>", tag = "of:<key>")]
pub(super) async fn change(change: &Change, key: u64) -> Result<u64, Failure> {
    change.carry_out().await
}

#[invalidates("hot:<key>", tag = "of:<key>", on_error = "fail")]
pub(super) async fn change_or_fail(change: &Change, key: u64) -> Result<u64, Failure> {
    change.carry_out().await
}

#[invalidates("hot:<key>", tag = "of:<key>", fence)]
pub(super) async fn change_fenced(change: &Change, key: u64) -> Result<u64, Failure> {
    change.carry_out().await
}

#[invalidates("hot:<key>", tag = "of:<key>", fence, on_error = "fail")]
pub(super) async fn change_fenced_or_fail(change: &Change, key: u64) -> Result<u64, Failure> {
    change.carry_out().await
}

/// What it wrote is what the next read is to hit.
#[invalidates(tag = "of:<key>", fence)]
#[write_through(key = "hot:<key>", ttl = "1h", value = |version| Entry::new(key, *version))]
pub(super) async fn change_through(change: &Change, key: u64) -> Result<u64, Failure> {
    change.carry_out().await
}

/// The same without a macro. Not to be dropped: between the two steps nobody else knows that it is to invalidate.
pub(super) async fn change_by_hand(change: &Change, key: u64) -> Result<u64, Failure> {
    let changed = change.carry_out().await;
    // What is not taken is queued.
    let (slot, tag) = (Key::of("hot").part(&key), Key::of("of").part(&key));
    let _ = tokio::join!(global().invalidate(&slot), global().invalidate_tag(&tag));
    changed
}
