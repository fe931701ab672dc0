//! A cache with a codec of choice.

use std::fmt;
use std::marker::PhantomData;

use crate::cache::Cache;
use crate::codec::Codec;
use crate::error::CacheError;
use crate::key::{Admits, CacheKey};
use crate::outcome::{CacheValue, ResultOf, ResultOfOption};
use crate::policy::Policy;

/// A [`Cache`] whose values are encoded by the codec `C`: see [`Cache::with_codec`].
///
/// Its methods are those of the cache. A value that another codec has stored is a miss, counted as
/// [`unreadable`](crate::Stats::unreadable), and replaced by the next load. Invalidations concern every codec.
pub struct CodedCache<'a, C> {
    cache: &'a Cache,
    codec: PhantomData<fn() -> C>,
}

impl<'a, C: Codec> CodedCache<'a, C> {
    pub(crate) const fn of(cache: &'a Cache) -> Self {
        Self {
            cache,
            codec: PhantomData,
        }
    }

    /// As [`Cache::get_or_load`].
    ///
    /// # Errors
    ///
    /// Only those of `load`.
    pub async fn get_or_load<K, T, E, F, L>(&self, key: &K, policy: Policy, load: F) -> Result<T, E>
    where
        K: CacheKey<Admits: Admits<T>> + ?Sized,
        T: CacheValue,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        self.cache
            .read_through::<_, _, ResultOf, C>(key, policy, load)
            .await
    }

    /// As [`Cache::get_or_load_optional`].
    ///
    /// # Errors
    ///
    /// Only those of `load`.
    pub async fn get_or_load_optional<K, T, E, F, L>(
        &self,
        key: &K,
        policy: Policy,
        load: F,
    ) -> Result<Option<T>, E>
    where
        K: CacheKey<Admits: Admits<T>> + ?Sized,
        T: CacheValue,
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<T>, E>>,
    {
        self.cache
            .read_through::<_, _, ResultOfOption, C>(key, policy, load)
            .await
    }

    /// As [`Cache::get`].
    ///
    /// # Errors
    ///
    /// When the store cannot be asked.
    pub async fn get<T: CacheValue>(
        &self,
        key: &(impl CacheKey<Admits: Admits<T>> + ?Sized),
        policy: Policy,
    ) -> Result<Option<T>, CacheError> {
        self.cache.read::<T, C>(key, policy).await
    }

    /// As [`Cache::put`].
    ///
    /// # Errors
    ///
    /// When the store did not take it, or the value cannot be stored.
    pub async fn put<T: CacheValue>(
        &self,
        key: &(impl CacheKey<Admits: Admits<T>> + ?Sized),
        value: T,
        policy: Policy,
    ) -> Result<bool, CacheError> {
        self.cache.write::<T, C>(key, value, policy).await
    }
}

impl<C> Clone for CodedCache<'_, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for CodedCache<'_, C> {}

impl<C> fmt::Debug for CodedCache<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodedCache")
            .field("cache", self.cache)
            .field("codec", &std::any::type_name::<C>())
            .finish()
    }
}
