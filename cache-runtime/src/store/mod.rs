//! Stores: where slots live.

pub(crate) mod embedded;
#[cfg_attr(
    not(feature = "redis"),
    allow(dead_code, reason = "only a store elsewhere has a local tier")
)]
pub(crate) mod local;
mod payload;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod table;

#[cfg(feature = "redis")]
use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::error::CacheError;
use crate::key::RenderedKey;
use crate::outcome::CacheValue;
use crate::slot::{Reply, Step};
use crate::snapshot::Breaker;

use embedded::EmbeddedStore;
pub(crate) use local::Stamp;
pub(crate) use payload::Payload;
#[cfg(feature = "redis")]
use redis::RedisStore;
pub(crate) use table::Kept;

/// The store of one cache.
#[derive(Debug)]
#[cfg_attr(
    feature = "redis",
    allow(
        clippy::large_enum_variant,
        reason = "there is one of these in a cache"
    )
)]
pub(crate) enum Store {
    Embedded(EmbeddedStore),
    #[cfg(feature = "redis")]
    Redis(Arc<RedisStore>),
}

impl Store {
    /// Carries out one step. What it stores lives for `ttl`; an answer takes at most `budget`.
    ///
    /// # Cancel safety
    ///
    /// A dropped step may or may not have been carried out, now or later: every step names what it changes by a token
    /// that is used once, so that a late one is refused.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub(crate) async fn apply(
        &self,
        key: &RenderedKey,
        step: Step<Payload>,
        ttl: Duration,
        budget: Budget,
    ) -> Result<Reply<Payload>, CacheError> {
        #[cfg(not(feature = "redis"))]
        let _ = budget;
        match self {
            Self::Embedded(store) => Ok(store.apply(key, step, ttl)),
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.apply(key, step, ttl, budget).await,
        }
    }

    /// Reads several slots, in one round trip for each 1024 of them. The answers take at most `budget`.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read; then none is.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub(crate) async fn read_all(
        &self,
        keys: &[&RenderedKey],
        budget: Budget,
    ) -> Result<Vec<Reply<Payload>>, CacheError> {
        #[cfg(not(feature = "redis"))]
        let _ = budget;
        match self {
            Self::Embedded(store) => {
                let read = |key: &&RenderedKey| store.apply(key, Step::Read, Duration::ZERO);
                Ok(keys.iter().map(read).collect())
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.read_all(keys, budget).await,
        }
    }

    /// Carries out steps that are all of one kind, on several slots: takes leases, or fills. There is one round trip for each 1024 of them, or
    /// each megabyte of values; the answers take at most `budget`.
    ///
    /// # Cancel safety
    ///
    /// That of [`apply`](Self::apply).
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub(crate) async fn apply_all(
        &self,
        steps: Vec<(&RenderedKey, Step<Payload>, Duration)>,
        budget: Budget,
    ) -> Vec<Result<Reply<Payload>, CacheError>> {
        #[cfg(not(feature = "redis"))]
        let _ = budget;
        match self {
            Self::Embedded(store) => {
                let steps = steps.into_iter();
                steps
                    .map(|(key, step, ttl)| Ok(store.apply(key, step, ttl)))
                    .collect()
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.apply_all(&steps, budget).await,
        }
    }

    /// To be taken before a value is asked for that is to be kept in the local tier; `None` where nothing is to be kept.
    pub(crate) fn stamp(&self, key: &RenderedKey) -> Option<Stamp> {
        match self {
            Self::Embedded(_) => {
                let _ = key;
                None
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.stamp(key),
        }
    }

    /// The same where every change of the key will be told of: see [`changed`](Self::changed).
    pub(crate) fn tracked(&self, key: &RenderedKey) -> Option<Stamp> {
        match self {
            Self::Embedded(_) => {
                let _ = key;
                None
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.tracked(key),
        }
    }

    /// Waits until a key may have changed since the stamp was taken.
    ///
    /// # Cancel safety
    ///
    /// Nothing happens that could be cut off.
    pub(crate) async fn changed(&self, key: &RenderedKey, stamp: Stamp) {
        match self {
            Self::Embedded(_) => {
                let _ = (key, stamp);
                std::future::pending::<()>().await;
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.changed(key, stamp).await,
        }
    }

    /// Keeps a value of a version and of a length in its encoding in the local tier, unless its key may have changed since the
    /// stamp was taken.
    pub(crate) fn keep<T: CacheValue>(
        &self,
        key: &RenderedKey,
        value: Option<T>,
        of: (u32, usize),
        stamp: Stamp,
        ttl: Duration,
    ) {
        match self {
            Self::Embedded(_) => {
                let _ = (key, value, of, stamp, ttl);
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.keep(key, value, of, stamp, ttl),
        }
    }

    /// Invalidates every slot whose key begins with these bytes. Each answer takes at most `limit`.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has happened in part: to be done again.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub(crate) async fn invalidate_under(
        &self,
        under: &RenderedKey,
        limit: Duration,
    ) -> Result<(), CacheError> {
        #[cfg(not(feature = "redis"))]
        let _ = limit;
        match self {
            Self::Embedded(store) => {
                store.invalidate_under(under);
                Ok(())
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.invalidate_under(under, limit).await,
        }
    }

    /// Empties the namespace, for every process that shares it. An answer takes at most `limit`; then the last process stops
    /// reading what it knew, before this returns.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has happened, or will, or not: to be done again.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub(crate) async fn advance_epoch(&self, limit: Duration) -> Result<(), CacheError> {
        #[cfg(not(feature = "redis"))]
        let _ = limit;
        match self {
            Self::Embedded(store) => {
                store.clear();
                Ok(())
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.advance(limit).await,
        }
    }

    /// Whether the store may be contacted at all. The embedded one is no other party.
    pub(crate) fn set_detached(&self, detached: bool) {
        match self {
            Self::Embedded(_) => {
                let _ = detached;
            }
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.set_detached(detached),
        }
    }

    /// How long the value under a key lives on; `None` where that cannot be found out.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub(crate) async fn ttl_left(&self, key: &RenderedKey) -> Option<Duration> {
        match self {
            Self::Embedded(store) => store.ttl_left(key),
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.ttl_left(key).await,
        }
    }

    /// Whether it is asked at all. The embedded one always is.
    pub(crate) fn breaker(&self) -> Breaker {
        match self {
            Self::Embedded(_) => Breaker::Closed,
            #[cfg(feature = "redis")]
            Self::Redis(store) if store.is_breaker_open() => Breaker::Open,
            #[cfg(feature = "redis")]
            Self::Redis(_) => Breaker::Closed,
        }
    }

    /// Waits until a store that did not answer does so again. Never ends for one that always answers.
    pub(crate) async fn recovered(&self) {
        match self {
            Self::Embedded(_) => std::future::pending().await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.recovered().await,
        }
    }

    /// The embedded store, which needs no waiting.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unnecessary_wraps, reason = "there is no other store then")
    )]
    pub(crate) fn as_embedded(&self) -> Option<&EmbeddedStore> {
        match self {
            Self::Embedded(store) => Some(store),
            #[cfg(feature = "redis")]
            Self::Redis(_) => None,
        }
    }
}
