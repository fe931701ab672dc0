//! `hitbox`, by its attribute for functions: its moka backend and its Redis backend, each with its default format.

use std::hint::black_box;
use std::sync::Arc;

use ::hitbox::policy::PolicyConfig;
use anyhow::Result;
use hitbox_fn::{Cache, cached};
use hitbox_moka::MokaBackend;
use hitbox_redis::{ConnectionMode, RedisBackend};

use super::{HOUR, Place, Subject};
use crate::measure::Measure;
use crate::user::User;
use crate::workload::{Ids, Tasks, Workload, tight_async};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "hitbox-moka",
        label: "hitbox `#[cached]`, moka backend",
        workloads: &[(Measure::LocalStruct, |place| {
            let cache = Cache::builder()
                .backend(MokaBackend::builder().max_entries(10_000).build())
                .policy(PolicyConfig::builder().ttl(HOUR).build())
                .build();
            Ok(tight_async!(place, |id| find(id).cache(&cache).await))
        })],
    },
    Subject {
        name: "hitbox",
        label: "hitbox `#[cached]`, Redis backend",
        workloads: &[
            (Measure::RedisHit, |place| on_redis(place, Ids::Uniform)),
            (Measure::RedisMiss, |place| on_redis(place, Ids::Fresh)),
        ],
    },
];

fn on_redis(place: &Place, ids: Ids) -> Result<Box<dyn Workload>> {
    let backend = RedisBackend::builder()
        .connection(ConnectionMode::single(place.redis.as_str()))
        .build()?;
    let policy = PolicyConfig::builder().ttl(HOUR).build();
    let cache = Arc::new(Cache::builder().backend(backend).policy(policy).build());
    Ok(Tasks::boxed(&place.runtime, ids, move |id| {
        let cache = cache.clone();
        async move {
            black_box(find(id).cache(&cache).await);
        }
    }))
}

#[cached]
async fn find(id: u64) -> User {
    User::of(id)
}
