//! Values kept in this process, found by their keys: what a local hit is answered from.

use std::any::Any;
use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quick_cache::{Equivalent, Weighter, sync::Cache};

use crate::clock::{Clock, Tick};
use crate::outcome::CacheValue;

/// A value as it is kept in this process: an `Option<T>`, which is `None` for a value known to be absent.
///
/// Its key stands beside it, so that a hit reads as few cache lines as can be.
pub(crate) struct Kept<V: ?Sized = dyn Any + Send + Sync> {
    /// When it is to be forgotten; set when it is stored.
    expires: AtomicU64,
    /// That of its call site.
    version: u32,
    /// What it takes of the bound of its table.
    weight: u32,
    key: KeptKey,
    value: V,
}

/// A short key stands where it is.
enum KeptKey {
    Here(u8, [u8; Self::LEN]),
    There(Box<[u8]>),
}

impl KeptKey {
    const LEN: usize = 30;

    fn of(key: &[u8]) -> Self {
        let mut bytes = [0; Self::LEN];
        match (bytes.get_mut(..key.len()), u8::try_from(key.len())) {
            (Some(room), Ok(len)) => {
                room.copy_from_slice(key);
                Self::Here(len, bytes)
            }
            _ => Self::There(key.into()),
        }
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Here(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::There(bytes) => bytes,
        }
    }
}

impl Kept {
    /// A value to be kept under `key`.
    pub(crate) fn new<T: CacheValue>(
        key: &[u8],
        value: Option<T>,
        version: u32,
        weight: usize,
    ) -> Arc<Self> {
        Self::of(key, value, version, weight)
    }

    pub(super) fn of(
        key: &[u8],
        value: impl Any + Send + Sync,
        version: u32,
        weight: usize,
    ) -> Arc<Self> {
        Arc::new(Kept {
            expires: AtomicU64::new(0),
            version,
            weight: u32::try_from(weight).unwrap_or(u32::MAX),
            key: KeptKey::of(key),
            value,
        })
    }

    /// What `make` makes of the value; `None` where that is of another type or version.
    #[inline]
    pub(crate) fn get<T: CacheValue, R>(
        &self,
        version: u32,
        make: impl FnOnce(Option<T>) -> Option<R>,
    ) -> Option<R> {
        let value = self.value.downcast_ref::<Option<T>>()?;
        (self.version == version)
            .then(|| make(value.clone()))
            .flatten()
    }

    pub(super) fn version(&self) -> u32 {
        self.version
    }

    pub(super) fn as_any(&self) -> &(dyn Any + Send + Sync) {
        &self.value
    }

    /// How long it is kept on.
    pub(super) fn ttl_left(&self, now: Tick) -> Duration {
        Tick::from_bits(self.expires.load(Ordering::Relaxed)).since(now)
    }

    #[inline]
    fn is_expired(&self, now: Tick) -> bool {
        Tick::from_bits(self.expires.load(Ordering::Relaxed)) <= now
    }
}

/// The values, bounded by the sum of their weights, and evicted by `quick_cache`'s form of S3-FIFO. With each goes an `M`.
pub(super) struct Table<M> {
    values: Cache<Entry<M>, (), Weights>,
    clock: Clock,
}

#[derive(Clone)]
struct Entry<M>(Arc<Kept>, M);

impl<M> Hash for Entry<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0.key.as_bytes());
    }
}

impl<M> PartialEq for Entry<M> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key.as_bytes() == other.0.key.as_bytes()
    }
}

impl<M> Eq for Entry<M> {}

#[derive(Clone)]
struct Weights {
    least: u64,
}

impl<M> Weighter<Entry<M>, ()> for Weights {
    fn weight(&self, entry: &Entry<M>, (): &()) -> u64 {
        u64::from(entry.0.weight).max(self.least)
    }
}

/// A key that is looked for, and what to do with the entry when it is found: in its place, under the lock of its shard, so that
/// not even a reference count need be touched for it.
struct Probe<'k, F, R> {
    key: &'k [u8],
    see: F,
    seen: Cell<Option<R>>,
}

impl<F, R> Hash for Probe<'_, F, R> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.key);
    }
}

impl<M, F: Fn(&Entry<M>) -> R, R> Equivalent<Entry<M>> for Probe<'_, F, R> {
    #[inline]
    fn equivalent(&self, entry: &Entry<M>) -> bool {
        let is_it = entry.0.key.as_bytes() == self.key;
        if is_it {
            self.seen.set(Some((self.see)(entry)));
        }
        is_it
    }
}

/// What is looked for only to be taken away: what has expired by now.
struct Expired<'k>(&'k [u8], Tick);

impl Hash for Expired<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(self.0);
    }
}

impl<M> Equivalent<Entry<M>> for Expired<'_> {
    fn equivalent(&self, entry: &Entry<M>) -> bool {
        entry.0.key.as_bytes() == self.0 && entry.0.is_expired(self.1)
    }
}

impl<M> Table<M> {
    /// One for about `len` values, whose weights add up to `weight` at most; none counts for less than `least`.
    pub(super) fn new(len: usize, weight: u64, least: usize, clock: Clock) -> Self {
        let least = least.max(1) as u64;
        Self {
            values: Cache::with_weighter(len, weight, Weights { least }),
            clock,
        }
    }

    /// Looks at the value under a key, if it has not expired. `see` must be brief, and must not use this table.
    #[inline]
    pub(super) fn look<R>(&self, key: &[u8], see: impl Fn(&Arc<Kept>, &M) -> R) -> Option<R> {
        let probe = Probe {
            key,
            see: |Entry(kept, more): &Entry<M>| {
                (!kept.is_expired(self.clock.tick())).then(|| see(kept, more))
            },
            seen: Cell::new(None),
        };
        self.values.get(&probe)?;
        let seen = probe.seen.into_inner().flatten();
        if seen.is_none() {
            self.values.remove(&Expired(key, self.clock.tick()));
        }
        seen
    }

    /// Stores a value under its key until a point in time. The caller takes turns for one key.
    pub(super) fn insert(&self, kept: Arc<Kept>, more: M, expires: Tick) {
        kept.expires.store(expires.to_bits(), Ordering::Relaxed);
        // Replaced as a whole: the value is a part of what the table takes for the key.
        self.remove(kept.key.as_bytes());
        self.values.insert(Entry(kept, more), ());
    }

    pub(super) fn remove(&self, key: &[u8]) {
        let see = |_: &Entry<M>| ();
        self.values.remove(&Probe {
            key,
            see,
            seen: Cell::new(None),
        });
    }

    pub(super) fn clear(&self) {
        self.values.clear();
    }

    /// Drops every value whose key begins so.
    pub(super) fn remove_under(&self, under: &[u8]) {
        self.values
            .retain(|entry, ()| !entry.0.key.as_bytes().starts_with(under));
    }

    /// What `see` makes of some values that have not expired, at most so many; and how many it has looked at for that.
    pub(super) fn some<R>(&self, most: usize, see: impl Fn(&[u8], &Kept) -> R) -> (Vec<R>, usize)
    where
        M: Clone,
    {
        let now = self.clock.tick();
        let mut looked_at = 0;
        let entries = self.values.iter().map(|(Entry(kept, _), ())| kept);
        let some = entries
            .inspect(|_| looked_at += 1)
            .filter(|kept| !kept.is_expired(now))
            .take(most)
            .map(|kept| see(kept.key.as_bytes(), &kept))
            .collect();
        (some, looked_at)
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn capacity(&self) -> u64 {
        self.values.capacity()
    }
}
