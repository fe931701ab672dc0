//! This crate, by its annotations.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use cache_runtime::__private::with_key;
use cache_runtime::{Cache, CacheConfig, Mode, cached};

use super::{Place, Subject, plain};
use crate::measure::Measure;
use crate::user::User;
use crate::workload::{Ids, KEYS, Tasks, Tight, tight_async};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "embedded",
        label: "**cache-runtime**, embedded store",
        workloads: &[
            (Measure::LocalArc, |place| {
                install(CacheConfig::embedded())?;
                Ok(tight_async!(place, |id| find_shared(id).await))
            }),
            (Measure::LocalStruct, |place| {
                install(CacheConfig::embedded())?;
                Ok(tight_async!(place, |id| find(id).await))
            }),
        ],
    },
    Subject {
        name: "local-tier",
        label: "**cache-runtime**, local tier in front of Redis",
        workloads: &[
            (Measure::LocalArc, |place| {
                install(CacheConfig::redis(&place.redis)?.tracking(true))?;
                until_local(place, async |id| drop(find_shared_near(id).await))?;
                Ok(tight_async!(place, |id| find_shared_near(id).await))
            }),
            (Measure::LocalStruct, |place| {
                install(CacheConfig::redis(&place.redis)?.tracking(true))?;
                until_local(place, async |id| drop(find_near(id).await))?;
                Ok(tight_async!(place, |id| find_near(id).await))
            }),
        ],
    },
    Subject {
        name: "ours",
        label: "**cache-runtime**, `#[cached]`",
        workloads: &[
            (Measure::RedisHit, |place| on_redis(place, Ids::Uniform)),
            (Measure::RedisMiss, |place| on_redis(place, Ids::Fresh)),
        ],
    },
    Subject {
        name: "off",
        label: "**cache-runtime**, `#[cached]` while off",
        workloads: &[(Measure::Off, |place| {
            install(CacheConfig::embedded().mode(Mode::Off))?;
            Ok(tight_async!(place, |id| mixed(id).await))
        })],
    },
    Subject {
        name: "key",
        label: "**cache-runtime**, the key of a call",
        workloads: &[(Measure::KeyBuild, |_| {
            install(CacheConfig::embedded())?;
            Ok(Tight::boxed(|ids| {
                for &id in ids {
                    // What the attribute expands to.
                    with_key(
                        |key| {
                            key.literal("user:");
                            key.part(&black_box(id));
                        },
                        |key| _ = black_box(key),
                    );
                }
            }))
        })],
    },
];

fn install(config: CacheConfig) -> Result<()> {
    cache_runtime::install(Cache::new(config)?).map_err(|_| anyhow!("installed twice"))
}

fn on_redis(place: &Place, ids: Ids) -> Result<Box<dyn crate::workload::Workload>> {
    // Another subject of this program has a local tier, which would turn it on.
    install(CacheConfig::redis(&place.redis)?.tracking(false))?;
    Ok(Tasks::boxed(&place.runtime, ids, |id| async move {
        black_box(find(id).await);
    }))
}

#[cached(key = "user:<id>", ttl = "1h")]
pub(crate) async fn find(id: u64) -> User {
    User::of(id)
}

#[cached(key = "shared:<id>", ttl = "1h")]
pub(crate) async fn find_shared(id: u64) -> Arc<User> {
    Arc::new(User::of(id % KEYS))
}

#[cached(key = "user:<id>", ttl = "1h", local_ttl = "1h")]
async fn find_near(id: u64) -> User {
    User::of(id)
}

#[cached(key = "shared:<id>", ttl = "1h", local_ttl = "1h")]
async fn find_shared_near(id: u64) -> Arc<User> {
    Arc::new(User::of(id % KEYS))
}

/// Reads until every key is answered in this process.
fn until_local(place: &Place, read: impl AsyncFn(u64)) -> Result<()> {
    place.runtime.block_on(async {
        for _ in 0..100 {
            let before = cache_runtime::global().stats();
            for id in 0..KEYS {
                read(id).await;
            }
            if cache_runtime::global().stats().since(&before).local_hits == KEYS {
                return Ok(());
            }
        }
        Err(anyhow!("the local tier does not keep all keys"))
    })
}

#[cached(key = "mixed:<id>", ttl = "1h")]
async fn mixed(id: u64) -> u64 {
    plain::body(id)
}

pub(super) fn sizes() -> Vec<(&'static str, usize)> {
    vec![
        ("**cache-runtime**, the struct", size_of_val(&find(0))),
        (
            "**cache-runtime**, an `Arc` of it",
            size_of_val(&find_shared(0)),
        ),
        ("**cache-runtime**, an integer", size_of_val(&mixed(0))),
        (
            "the plain function of the struct",
            size_of_val(&uncached(0)),
        ),
        ("the struct itself", size_of::<User>()),
    ]
}

#[allow(clippy::unused_async, reason = "as what is annotated")]
async fn uncached(id: u64) -> User {
    User::of(id)
}
