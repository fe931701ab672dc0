//! `accelerator`, by its attribute: local, and remote alone.

use std::hint::black_box;
use std::sync::Arc;

use ::accelerator::builder::LevelCacheBuilder;
use ::accelerator::config::CacheMode;
use ::accelerator::macros::cacheable;
use ::accelerator::{CacheResult, LevelCache, local, remote};
use anyhow::Result;
use serde::{Serialize, de::DeserializeOwned};

use super::{HOUR, Place, Subject};
use crate::measure::Measure;
use crate::user::User;
use crate::workload::{Ids, Tasks, Workload, tight_async};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "accelerator-local",
        label: "accelerator `#[cacheable]`, local (moka)",
        workloads: &[
            (Measure::LocalArc, |place| {
                let users = SharedUsers {
                    cache: in_process()?,
                };
                Ok(tight_async!(place, |id| users
                    .find(id)
                    .await
                    .expect("an answer")))
            }),
            (Measure::LocalStruct, |place| {
                let users = Users {
                    cache: in_process()?,
                };
                Ok(tight_async!(place, |id| users
                    .find(id)
                    .await
                    .expect("an answer")))
            }),
        ],
    },
    Subject {
        name: "accelerator",
        label: "accelerator `#[cacheable]`, remote (Redis)",
        workloads: &[
            (Measure::RedisHit, |place| on_redis(place, Ids::Uniform)),
            (Measure::RedisMiss, |place| on_redis(place, Ids::Fresh)),
        ],
    },
];

struct Users {
    cache: LevelCache<u64, User>,
}

impl Users {
    #[cacheable(cache = self.cache, key = id)]
    async fn find(&self, id: u64) -> CacheResult<Option<User>> {
        Ok(Some(User::of(id)))
    }
}

struct SharedUsers {
    cache: LevelCache<u64, Arc<User>>,
}

impl SharedUsers {
    #[cacheable(cache = self.cache, key = id)]
    async fn find(&self, id: u64) -> CacheResult<Option<Arc<User>>> {
        Ok(Some(Arc::new(User::of(id))))
    }
}

fn in_process<V>() -> Result<LevelCache<u64, V>>
where
    V: Clone + Send + Sync + Serialize + DeserializeOwned + 'static,
{
    let cache = LevelCacheBuilder::<u64, V>::new()
        .area("user")
        .mode(CacheMode::Local)
        .local(local::moka().max_capacity(10_000).build()?)
        .local_ttl(HOUR)
        .build()?;
    Ok(cache)
}

fn on_redis(place: &Place, ids: Ids) -> Result<Box<dyn Workload>> {
    let backend = remote::redis()
        .url(&place.redis)
        .key_prefix("accelerator")
        .build()?;
    let cache = LevelCacheBuilder::<u64, User>::new()
        .area("user")
        .mode(CacheMode::Remote)
        .remote(backend)
        .remote_ttl(HOUR)
        .build()?;
    let users = Arc::new(Users { cache });
    Ok(Tasks::boxed(&place.runtime, ids, move |id| {
        let users = users.clone();
        async move {
            black_box(users.find(id).await).expect("an answer");
        }
    }))
}
