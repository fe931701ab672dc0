//! `cachekit-rs`: the preset that is made for speed, with its local cache and without.

use std::hint::black_box;
use std::sync::Arc;

use ::cachekit::{CacheKit, CachekitError, cachekit};
use anyhow::Result;

use super::{Place, Subject};
use crate::measure::Measure;
use crate::user::User;
use crate::workload::{Ids, Tasks, Workload, tight_async};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "cachekit-local",
        label: "cachekit-rs `#[cachekit]`, L1",
        workloads: &[(Measure::LocalStruct, |place| {
            let client = place.runtime.block_on(CacheKit::minimal(&place.redis))?;
            let client = client.l1_capacity(10_000).build()?;
            Ok(tight_async!(place, |id| find(&client, id)
                .await
                .expect("an answer")))
        })],
    },
    Subject {
        name: "cachekit",
        label: "cachekit-rs `#[cachekit]`, Redis without L1",
        workloads: &[
            (Measure::RedisHit, |place| on_redis(place, Ids::Uniform)),
            (Measure::RedisMiss, |place| on_redis(place, Ids::Fresh)),
        ],
    },
];

fn on_redis(place: &Place, ids: Ids) -> Result<Box<dyn Workload>> {
    let client = place.runtime.block_on(CacheKit::minimal(&place.redis))?;
    let client = Arc::new(client.no_l1().build()?);
    Ok(Tasks::boxed(&place.runtime, ids, move |id| {
        let client = client.clone();
        async move {
            black_box(find(&client, id).await).expect("an answer");
        }
    }))
}

#[cachekit(client = client, ttl = 3600, interop = "find", namespace = "user")]
async fn find(client: &CacheKit, id: u64) -> Result<User, CachekitError> {
    Ok(User::of(id))
}
