//! A bare `quick_cache`: no TTL, no loading, no statistics.

use std::hint::black_box;
use std::sync::Arc;

use ::quick_cache::sync::Cache;

use super::Subject;
use crate::measure::Measure;
use crate::user::User;
use crate::workload::{KEYS, Tight, Workload};

pub(super) const SUBJECTS: &[Subject] = &[
    Subject {
        name: "quick_cache",
        label: "quick_cache `get`, the key at hand",
        workloads: &[
            (Measure::LocalArc, |_| {
                Ok(key_at_hand(|id| Arc::new(User::of(id))))
            }),
            (Measure::LocalStruct, |_| Ok(key_at_hand(User::of))),
        ],
    },
    Subject {
        name: "quick_cache-format",
        label: "quick_cache `get`, the key by `format!`",
        workloads: &[
            (Measure::LocalArc, |_| {
                Ok(key_by_format(|id| Arc::new(User::of(id))))
            }),
            (Measure::LocalStruct, |_| Ok(key_by_format(User::of))),
        ],
    },
];

fn filled<V: Clone>(value: impl Fn(u64) -> V) -> Cache<String, V> {
    let cache = Cache::new(10_000);
    for id in 0..KEYS {
        cache.insert(format!("user:{id}"), value(id));
    }
    cache
}

fn key_at_hand<V: Clone + Send + Sync + 'static>(value: impl Fn(u64) -> V) -> Box<dyn Workload> {
    let cache = filled(value);
    let keys: Vec<_> = (0..KEYS).map(|id| format!("user:{id}")).collect();
    Tight::boxed(move |ids| {
        for &id in ids {
            let key = usize::try_from(id).ok().and_then(|index| keys.get(index));
            black_box(key.and_then(|key| cache.get(black_box(key.as_str()))));
        }
    })
}

fn key_by_format<V: Clone + Send + Sync + 'static>(value: impl Fn(u64) -> V) -> Box<dyn Workload> {
    let cache = filled(value);
    Tight::boxed(move |ids| {
        for &id in ids {
            black_box(cache.get(black_box(format!("user:{id}").as_str())));
        }
    })
}
