//! Shares that are none, and what has no hit of one key.

use std::collections::HashMap;

use cache_runtime::cached;

#[cached(key = "a:<id>", ttl = "1m", verify = 0)]
async fn none_of_them(id: u64) -> u64 {
    id
}

#[cached(key = "b:<id>", ttl = "1m", verify = 1.5)]
async fn more_than_all(id: u64) -> u64 {
    id
}

#[cached(key = "c:<id>", ttl = "1m", verify = "1%")]
async fn in_words(id: u64) -> u64 {
    id
}

#[cached(batch, key = "d:<id>", ttl = "1m", verify = 0.01)]
async fn several(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

#[cached(key = "e:<id>", ttl = "1m", verify)]
async fn unsaid(id: u64) -> u64 {
    id
}

fn main() {}
