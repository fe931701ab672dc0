//! The annotated functions, as a service has them.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use cache_runtime::{
    CacheError, InvalidationError, Key, Policy, cached, global, invalidates, write_through,
};

use super::change::Change;
use super::source::Source;
use crate::keys::Place;
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

#[cached(key = "hot:<at.group>:<at.key>", ttl = "1h", skip(source))]
pub(super) async fn find(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

/// The same slots, and values that expire all the time.
#[cached(key = "hot:<at.group>:<at.key>", ttl = source.life(), skip(source))]
pub(super) async fn find_briefly(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

/// The same slots, several at a time.
#[cached(batch, key = "hot:<at.group>:<at.key>", ttl = source.life(), skip(source))]
pub(super) async fn find_several(
    source: &Source,
    places: &[Place],
) -> Result<HashMap<Place, Entry>, Failure> {
    source.load_all(places).await
}

/// Slots that only a pattern names: else their tag alone tells that they are void.
#[cached(key = "tagged:<at.group>:<at.key>", ttl = source.life(), tags = ["of:<at.key>"], skip(source))]
pub(super) async fn find_tagged(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

/// Old values at once, and loads that nobody waits for. The window is longer than any load takes: so a value is never loaded both in
/// its place and instead of it.
#[cached(key = "hot:<at.group>:<at.key>", ttl = source.life(), stale_while_revalidate = "10s", skip(source))]
pub(super) async fn find_stale(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

/// The same slots, and loads that one of the callers waits for.
#[cached(
    key = "hot:<at.group>:<at.key>",
    ttl = source.life(),
    stale_while_revalidate = "10s",
    refresh = "inline",
    skip(source)
)]
pub(super) async fn find_stale_inline(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

/// The same slots, and loads that all wait for.
#[cached(key = "hot:<at.group>:<at.key>", ttl = source.life(), stale_if_error = "10s", skip(source))]
pub(super) async fn find_stale_if_error(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

/// The same slots, and loads that are waited for a while.
#[cached(
    key = "hot:<at.group>:<at.key>",
    ttl = source.life(),
    stale_if_error = "10s",
    timeout = "20ms",
    skip(source)
)]
pub(super) async fn find_stale_if_slow(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

/// The slots of the first, without a macro, and values that expire all the time.
pub(super) async fn find_directly(source: &Source, at: Place) -> Result<Entry, Failure> {
    let brief = Policy::new(source.life());
    global()
        .get_or_load(&slot(at), brief, || source.load(at.key))
        .await
}

/// The same slots, with values kept in this process for a while.
#[cached(
    key = "hot:<at.group>:<at.key>",
    ttl = "1h",
    local_ttl = "300ms",
    skip(source)
)]
pub(super) async fn find_nearby(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

/// Kept for much longer.
#[cached(
    key = "hot:<at.group>:<at.key>",
    ttl = "1h",
    local_ttl = "1h",
    skip(source)
)]
pub(super) async fn find_nearby_for_long(source: &Source, at: Place) -> Result<Entry, Failure> {
    source.load(at.key).await
}

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

/// What a caller must not do: the cache's errors become his own.
pub(super) async fn find_carelessly(source: &Source, at: Place) -> Result<Entry, Failure> {
    match global().get(&slot(at), HOUR).await? {
        Some(entry) => Ok(entry),
        None => find(source, at).await,
    }
}

/// What the macro does not let pass: a key that does not cover its argument.
pub(super) async fn find_by_a_wrong_key(source: &Source, at: Place) -> Result<Entry, Failure> {
    let wrong = slot(Place::of(at.key & !1));
    global()
        .get_or_load(&wrong, HOUR, || source.load(at.key))
        .await
}

#[invalidates("hot:<at.group>:<at.key>", tag = "of:<at.key>")]
pub(super) async fn change(change: &Change, at: Place) -> Result<u64, Failure> {
    change.carry_out().await
}

#[invalidates("hot:<at.group>:<at.key>", tag = "of:<at.key>", on_error = "fail")]
pub(super) async fn change_or_fail(change: &Change, at: Place) -> Result<u64, Failure> {
    change.carry_out().await
}

#[invalidates("hot:<at.group>:<at.key>", tag = "of:<at.key>", fence)]
pub(super) async fn change_fenced(change: &Change, at: Place) -> Result<u64, Failure> {
    change.carry_out().await
}

#[invalidates(
    "hot:<at.group>:<at.key>",
    tag = "of:<at.key>",
    fence,
    on_error = "fail"
)]
pub(super) async fn change_fenced_or_fail(change: &Change, at: Place) -> Result<u64, Failure> {
    change.carry_out().await
}

/// What it wrote is what the next read is to hit.
#[invalidates(tag = "of:<at.key>", fence)]
#[write_through(key = "hot:<at.group>:<at.key>", ttl = "1h", value = |version| Entry::new(at.key, *version))]
pub(super) async fn change_through(change: &Change, at: Place) -> Result<u64, Failure> {
    change.carry_out().await
}

/// The same of a slot with a tag.
#[invalidates("hot:<at.group>:<at.key>", fence)]
#[write_through(
    key = "tagged:<at.group>:<at.key>",
    ttl = "1h",
    tags = ["of:<at.key>"],
    value = |version| Entry::new(at.key, *version),
)]
pub(super) async fn change_through_tagged(change: &Change, at: Place) -> Result<u64, Failure> {
    change.carry_out().await
}

/// Of several keys.
#[invalidates("hot:<places.group>:<places.key>", tag = "of:<places.key>")]
pub(super) async fn change_several(change: &Change, places: Vec<Place>) -> Result<u64, Failure> {
    change.carry_out().await
}

/// Of all keys of a group.
#[invalidates("hot:<at.group>:*", "tagged:<at.group>:*")]
pub(super) async fn change_group(change: &Change, at: Place) -> Result<u64, Failure> {
    change.carry_out().await
}

#[invalidates("hot:<at.group>:*", "tagged:<at.group>:*", on_error = "fail")]
pub(super) async fn change_group_or_fail(change: &Change, at: Place) -> Result<u64, Failure> {
    change.carry_out().await
}

/// The same as the first without a macro. Not to be dropped: between the two steps nobody else knows that it is to invalidate.
pub(super) async fn change_by_hand(change: &Change, at: Place) -> Result<u64, Failure> {
    let changed = change.carry_out().await;
    // What is not taken is queued.
    let (slot, tag) = (slot(at), Key::of("of").part(&at.key));
    let _ = tokio::join!(global().invalidate(&slot), global().invalidate_tag(&tag));
    changed
}

/// A statement of a transaction: it takes effect with the commit.
#[invalidates("hot:<at.group>:<at.key>", tag = "of:<at.key>")]
pub(super) async fn state(at: Place) {}

#[invalidates(
    "hot:<at.group>:<at.key>",
    tag = "of:<at.key>",
    fence,
    on_error = "fail"
)]
pub(super) async fn state_fenced(at: Place) -> Result<(), Failure> {
    Ok(())
}

fn slot(at: Place) -> Key {
    Key::of("hot").part(&at.group).part(&at.key)
}
