//! `moka`, with a TTL and a bound.

use std::hint::black_box;
use std::sync::Arc;

use super::{HOUR, Place, Subject};
use crate::measure::Measure;
use crate::user::User;
use crate::workload::{KEYS, Tight, Workload};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "moka-get",
        label: "moka `get`, the key by `format!`",
        workloads: &[
            (Measure::LocalArc, |_| Ok(get(|id| Arc::new(User::of(id))))),
            (Measure::LocalStruct, |_| Ok(get(User::of))),
        ],
    },
    Subject {
        name: "moka-get-with",
        label: "moka async `get_with_by_ref`, the key by `format!`",
        workloads: &[
            (Measure::LocalArc, |place| {
                Ok(get_with(place, |id| Arc::new(User::of(id))))
            }),
            (Measure::LocalStruct, |place| Ok(get_with(place, User::of))),
        ],
    },
];

fn get<V: Clone + Send + Sync + 'static>(value: impl Fn(u64) -> V) -> Box<dyn Workload> {
    let cache: moka::sync::Cache<String, V> = moka::sync::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(HOUR)
        .build();
    for id in 0..KEYS {
        cache.insert(format!("user:{id}"), value(id));
    }
    Tight::boxed(move |ids| {
        for &id in ids {
            black_box(cache.get(black_box(format!("user:{id}").as_str())));
        }
    })
}

fn get_with<V: Clone + Send + Sync + 'static>(
    place: &Place,
    value: impl Fn(u64) -> V + Sync + 'static,
) -> Box<dyn Workload> {
    let cache: moka::future::Cache<String, V> = moka::future::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(HOUR)
        .build();
    let runtime = place.runtime.clone();
    Tight::boxed(move |ids| {
        runtime.block_on(async {
            for &id in ids {
                let key = black_box(format!("user:{id}"));
                black_box(cache.get_with_by_ref(&key, async { value(id) }).await);
            }
        });
    })
}
