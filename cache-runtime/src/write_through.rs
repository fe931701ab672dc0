//! Write-through: what a mutation has written is stored under its key.
//!
//! A fence stands from before the body until the value is put in its place. Where two writers overlap, the fence is tainted, and
//! neither of them stores anything: which of the two committed last, nobody but the database knows.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::codec::Codec;
use crate::form::{Bare, Form, Of, WithTags};
use crate::invalidation::Effects;
use crate::key::{Admits, AnyValue, CacheKey, KeyWriter};
use crate::outcome::{CacheValue, Outcome, View};
use crate::policy::Policy;
use crate::storing::{Every, Selects};
use crate::tags::{self, Tags};
use crate::token::Token;

/// A key that is written, and which values it admits.
pub struct Keyed<A> {
    admits: PhantomData<fn() -> A>,
    tags: Tags,
}

impl<A> Keyed<A> {
    fn new() -> Self {
        Self {
            admits: PhantomData,
            tags: Tags::default(),
        }
    }

    /// Adds a tag to what is stored.
    pub fn tag(&mut self, effects: &Effects, write: impl FnOnce(&mut KeyWriter)) {
        self.tags.add(tags::key(&effects.cache().inner, write));
    }
}

impl Effects {
    /// Writes under a key made by a template.
    pub fn writes(&mut self, write: impl FnOnce(&mut KeyWriter)) -> Keyed<AnyValue> {
        self.key(write);
        self.fence();
        Keyed::new()
    }

    /// Writes under a typed key.
    pub fn writes_typed<K: CacheKey>(&mut self, key: &K) -> Keyed<K::Admits> {
        self.typed(key);
        self.fence();
        Keyed::new()
    }

    /// Stores what was written, if this cache is on and no other writer overlapped. What is not stored is left to be delivered as
    /// an invalidation.
    async fn store<V: CacheValue, D: Codec, F: Form>(
        &mut self,
        value: &V,
        generations: &[Token],
        version: u32,
        ttl: Duration,
    ) {
        let inner = self.cache().inner.clone();
        let ttl = inner.settings.jittered(ttl);
        let (true, Some(key)) = (inner.admits(self.at()), self.written()) else {
            return;
        };
        if ttl < Duration::from_millis(1) {
            return;
        }
        let of = Of {
            inner: &inner,
            key,
            version,
        };
        match F::payload::<V, D>(of, Some(value), generations, None) {
            // After an error it is not known whether it was stored: the fence is lowered, which drops it.
            Ok(payload) => drop(self.put(payload, ttl).await),
            Err(error) => {
                self.count(error.count());
                tracing::debug!(%error, ?key, "a written value is not stored");
            }
        }
    }
}

/// How a stored value is made of what a function returned.
pub fn made<R, S, V, F>(_: &S, make: F) -> Made<V, F>
where
    R: Outcome<S>,
    F: FnOnce(&R::Value) -> V,
{
    Made {
        make,
        of: PhantomData,
    }
}

/// See [`made`].
pub struct Made<V, F> {
    make: F,
    of: PhantomData<fn() -> V>,
}

impl<V, F> Made<V, F> {
    /// The same, if this key admits it.
    #[must_use]
    pub fn under<A: Admits<V>>(self, _: &Keyed<A>) -> Self {
        self
    }

    /// What is stored of these: at first, all.
    #[must_use]
    pub const fn every(&self) -> Every<V> {
        Every::value()
    }
}

/// Runs a mutation, then stores what is made of its value: `Ok`, `Some`, or the value itself. A `None` drops what was cached; after
/// an `Err` the fence is left to expire, because the mutation may have committed, or will.
///
/// # Cancel safety
///
/// Dropped at any await, what was cached is dropped as well.
pub async fn write_through<R, S, V, D>(
    effects: &mut Effects,
    shape: S,
    policy: Policy,
    made: Made<V, impl FnOnce(&R::Value) -> V>,
    storing: impl Selects<V>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S>,
    V: CacheValue,
    D: Codec,
{
    let tags = Tags::default();
    write::<_, _, _, D, Bare>(effects, shape, tags, policy, made, storing, body).await
}

/// The same, where the value has tags.
///
/// # Cancel safety
///
/// The same.
pub async fn write_through_with_tags<R, S, A, V, D>(
    effects: &mut Effects,
    shape: S,
    key: Keyed<A>,
    policy: Policy,
    made: Made<V, impl FnOnce(&R::Value) -> V>,
    storing: impl Selects<V>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S>,
    V: CacheValue,
    D: Codec,
{
    write::<_, _, _, D, WithTags>(effects, shape, key.tags, policy, made, storing, body).await
}

async fn write<R, S, V, D, F>(
    effects: &mut Effects,
    _shape: S,
    tags: Tags,
    policy: Policy,
    made: Made<V, impl FnOnce(&R::Value) -> V>,
    storing: impl Selects<V>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S>,
    V: CacheValue,
    D: Codec,
    F: Form,
{
    // Without a fence, what is put in the end only drops what is cached.
    let _ = effects.raise().await;
    // Before the body: an invalidation of a tag while it runs makes the value void.
    let generations = if effects.is_within_transaction() {
        // Nothing is stored: what is written may be rolled back.
        None
    } else {
        tags.current(&effects.cache().inner, effects.at()).await
    };
    let returned = effects.run_body(body).await;
    match returned.view() {
        View::Value(value) => {
            let value = (made.make)(value);
            if let (Some(ttl), Some(generations)) = (storing.ttl_of(&value, &policy), generations) {
                let version = policy.site_version();
                effects
                    .store::<V, D, F>(&value, &generations, version, ttl)
                    .await;
            }
        }
        View::Failed(_) => effects.doubt(),
        View::Absent => {}
    }
    let _ = effects.deliver().await;
    returned
}

impl<A> fmt::Debug for Keyed<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed")
    }
}

impl<V, F> fmt::Debug for Made<V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Made")
    }
}
