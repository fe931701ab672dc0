//! The crate `cached`: its two attributes, its Redis store, and that store with client-side caching.

#![allow(clippy::unused_async, reason = "bodies that are free await nothing")]

use std::hint::black_box;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result};
use cached::AsyncRedisCache;
use cached::macros::{cached, concurrent_cached};

use super::{HOUR, Place, Subject};
use crate::measure::Measure;
use crate::user::User;
use crate::workload::{Ids, Tasks, tight_async};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "cached",
        label: "cached `#[cached(max_size, ttl)]`",
        workloads: &[
            (Measure::LocalArc, |place| {
                Ok(tight_async!(place, |id| one_lock_shared(id).await))
            }),
            (Measure::LocalStruct, |place| {
                Ok(tight_async!(place, |id| one_lock(id).await))
            }),
        ],
    },
    Subject {
        name: "concurrent-cached",
        label: "cached `#[concurrent_cached(max_size, ttl)]`",
        workloads: &[
            (Measure::LocalArc, |place| {
                Ok(tight_async!(place, |id| sharded_shared(id).await))
            }),
            (Measure::LocalStruct, |place| {
                Ok(tight_async!(place, |id| sharded(id).await))
            }),
        ],
    },
    Subject {
        name: "concurrent-cached-key",
        label: "the same with the key `user:<id>`",
        workloads: &[
            (Measure::LocalArc, |place| {
                Ok(tight_async!(place, |id| sharded_shared_by_text(id).await))
            }),
            (Measure::LocalStruct, |place| {
                Ok(tight_async!(place, |id| sharded_by_text(id).await))
            }),
        ],
    },
    Subject {
        name: "cached-redis",
        label: "cached `#[concurrent_cached]`, `AsyncRedisCache`",
        workloads: &[
            (Measure::RedisHit, |place| {
                serve_from(place)?;
                Ok(Tasks::boxed(
                    &place.runtime,
                    Ids::Uniform,
                    |id| async move {
                        black_box(on_redis(id).await).expect("an answer");
                    },
                ))
            }),
            (Measure::RedisMiss, |place| {
                serve_from(place)?;
                Ok(Tasks::boxed(&place.runtime, Ids::Fresh, |id| async move {
                    black_box(on_redis(id).await).expect("an answer");
                }))
            }),
        ],
    },
    Subject {
        name: "cached-client-side",
        label: "cached, Redis with client-side caching",
        workloads: &[
            (Measure::LocalArc, |place| {
                serve_from(place)?;
                Ok(tight_async!(place, |id| client_side_shared(id)
                    .await
                    .expect("an answer")))
            }),
            (Measure::LocalStruct, |place| {
                serve_from(place)?;
                Ok(tight_async!(place, |id| client_side(id)
                    .await
                    .expect("an answer")))
            }),
        ],
    },
];

/// Where Redis is: the attributes connect on the first call.
static URL: OnceLock<String> = OnceLock::new();

fn serve_from(place: &Place) -> Result<()> {
    URL.set(place.redis.clone()).ok().context("set twice")
}

type Error = String;

async fn store<V>(client_side: bool) -> AsyncRedisCache<u64, V>
where
    V: serde::Serialize + serde::de::DeserializeOwned + Send + Sync,
{
    AsyncRedisCache::builder("peers")
        .connection_string(URL.get().expect("set before the first call"))
        .ttl(HOUR)
        .client_side_caching(client_side)
        .build()
        .await
        .expect("a connection")
}

#[cached(max_size = 10_000, ttl_secs = 3600)]
async fn one_lock(id: u64) -> User {
    User::of(id)
}

#[cached(max_size = 10_000, ttl_secs = 3600)]
async fn one_lock_shared(id: u64) -> Arc<User> {
    Arc::new(User::of(id))
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 3600)]
async fn sharded(id: u64) -> User {
    User::of(id)
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 3600)]
async fn sharded_shared(id: u64) -> Arc<User> {
    Arc::new(User::of(id))
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 3600, key = "String", convert = { format!("user:{id}") })]
async fn sharded_by_text(id: u64) -> User {
    User::of(id)
}

#[concurrent_cached(max_size = 10_000, ttl_secs = 3600, key = "String", convert = { format!("user:{id}") })]
async fn sharded_shared_by_text(id: u64) -> Arc<User> {
    Arc::new(User::of(id))
}

#[concurrent_cached(
    map_error = |e| e.to_string(),
    ty = "AsyncRedisCache<u64, User>",
    create = { store(false).await }
)]
async fn on_redis(id: u64) -> Result<User, Error> {
    Ok(User::of(id))
}

#[concurrent_cached(
    map_error = |e| e.to_string(),
    ty = "AsyncRedisCache<u64, User>",
    create = { store(true).await }
)]
async fn client_side(id: u64) -> Result<User, Error> {
    Ok(User::of(id))
}

#[concurrent_cached(
    map_error = |e| e.to_string(),
    ty = "AsyncRedisCache<u64, Arc<User>>",
    create = { store(true).await }
)]
async fn client_side_shared(id: u64) -> Result<Arc<User>, Error> {
    Ok(Arc::new(User::of(id)))
}

pub(super) fn sizes() -> [(&'static str, usize); 3] {
    [
        (
            "cached `#[concurrent_cached(max_size, ttl)]`, the struct",
            size_of_val(&sharded(0)),
        ),
        ("the same, an `Arc` of it", size_of_val(&sharded_shared(0))),
        (
            "cached `#[concurrent_cached]` with `AsyncRedisCache`",
            size_of_val(&on_redis(0)),
        ),
    ]
}
