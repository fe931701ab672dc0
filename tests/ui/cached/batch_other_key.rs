use std::collections::HashMap;

use cache_runtime::cached;

#[cached(batch, key = "a:<id>", ttl = "1m")]
async fn other_key(ids: &[u32]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (u64::from(*id), 1)).collect()
}

fn main() {}
