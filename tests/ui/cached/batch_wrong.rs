use std::collections::HashMap;

use cache_runtime::cached;

#[cached(batch, key = "a:<id>", ttl = "1m")]
async fn nothing_holds_several(id: u64) -> HashMap<u64, u64> {
    HashMap::from([(id, id)])
}

#[cached(batch, key = "b:<id>", ttl = "1m")]
async fn which_of_them(ids: &[u64], others: Vec<u64>) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch, key = "c:<ids>", ttl = "1m")]
async fn all_in_one(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch, key = "d", ttl = "1m")]
async fn none_of_them(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch, key = "e:<tenat>:<id>", ttl = "1m")]
async fn misspelt(tenant: u64, ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch(id in idz), key = "f:<id>", ttl = "1m")]
async fn no_such_argument(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch(ids in ids), key = "g:<ids>", ttl = "1m")]
async fn one_name_for_both(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch = ids, key = "h:<id>", ttl = "1m")]
async fn no_form(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch, key = "i:<id>", ttl = "1m", stale_while_revalidate = "1m")]
async fn refreshed(ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch, key = "j:<id>", ttl = "1m")]
async fn uncovered(tenant: u64, ids: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch, key = key(users), ttl = "1m")]
async fn not_said(users: &[u64]) -> HashMap<u64, u64> {
    HashMap::new()
}

#[cached(batch, key = "k:<id>", ttl = "1m")]
async fn a_list(ids: &[u64]) -> Result<Vec<u64>, String> {
    Ok(ids.to_vec())
}

#[cached(batch, key = "l:<id>", ttl = "1m")]
async fn maybe(ids: &[u64]) -> Option<HashMap<u64, u64>> {
    Some(ids.iter().map(|id| (*id, *id)).collect())
}

fn main() {}
