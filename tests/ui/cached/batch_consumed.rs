use std::collections::HashMap;

use cache_runtime::cached;

struct Connection;

#[cached(batch, key = "a:<id>", ttl = "1m", skip(connection))]
async fn consumed(connection: Connection, ids: &[u64]) -> HashMap<u64, u64> {
    drop(connection);
    ids.iter().map(|id| (*id, *id)).collect()
}

fn main() {}
