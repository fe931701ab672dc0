//! What a function returns that answers for several keys at a time.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::hash::{BuildHasher, Hash};

use crate::outcome::{Outcome, Plain, ResultOf};

/// A map, from what a key is made of to what is cached under it.
#[diagnostic::on_unimplemented(
    message = "a function with `batch` returns a map, and `{Self}` is none",
    label = "which value belongs to which key cannot be told from this",
    note = "return a `HashMap` or a `BTreeMap`, by itself or in a `Result`: `Result<HashMap<u64, User>, DbError>`"
)]
pub trait Entries: Default + IntoIterator<Item = (Self::Key, Self::Value)> {
    /// What a key is made of.
    type Key;
    /// What is cached under it.
    type Value;
    /// Takes an entry out.
    fn take(&mut self, key: &Self::Key) -> Option<(Self::Key, Self::Value)>;
    /// Puts one in.
    fn put(&mut self, key: Self::Key, value: Self::Value);
    /// Makes room.
    fn reserve(&mut self, _additional: usize) {}
}

impl<K: Eq + Hash, V, B: BuildHasher + Default> Entries for HashMap<K, V, B> {
    type Key = K;
    type Value = V;
    fn take(&mut self, key: &K) -> Option<(K, V)> {
        self.remove_entry(key)
    }
    fn put(&mut self, key: K, value: V) {
        self.insert(key, value);
    }
    fn reserve(&mut self, additional: usize) {
        Self::reserve(self, additional);
    }
}

impl<K: Ord, V> Entries for BTreeMap<K, V> {
    type Key = K;
    type Value = V;
    fn take(&mut self, key: &K) -> Option<(K, V)> {
        self.remove_entry(key)
    }
    fn put(&mut self, key: K, value: V) {
        self.insert(key, value);
    }
}

/// What such a function returns, taken apart by its shape `S`.
#[diagnostic::on_unimplemented(
    message = "a function with `batch` returns a map, or a map in a `Result`, and not `{Self}`",
    label = "what has no value is left out of the map",
    note = "as in `Result<HashMap<u64, User>, DbError>`"
)]
pub trait ManyOutcome<S>: Outcome<S, Value: Entries> {
    /// The map, or the error.
    ///
    /// # Errors
    ///
    /// That of the function.
    fn split(self) -> Result<Self::Value, Self::Error>;
    /// The map as what is returned.
    fn of(map: Self::Value) -> Self;
}

impl<M: Entries, E> ManyOutcome<ResultOf> for Result<M, E> {
    fn split(self) -> Self {
        self
    }
    fn of(map: M) -> Self {
        Ok(map)
    }
}

impl<M: Entries> ManyOutcome<Plain> for M {
    fn split(self) -> Result<Self, Infallible> {
        Ok(self)
    }
    fn of(map: Self) -> Self {
        map
    }
}

/// What a key of such a function is made of.
pub type KeyOf<R, S> = <<R as Outcome<S>>::Value as Entries>::Key;

/// What is cached under one key.
pub type ValueOf<R, S> = <<R as Outcome<S>>::Value as Entries>::Value;
