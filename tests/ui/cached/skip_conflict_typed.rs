use cache_runtime::{CacheKey, cached};

#[derive(CacheKey)]
#[cache_key("user:<id>")]
struct UserKey {
    id: u64,
}

#[cached(key = UserKey { id }, ttl = 60, skip(id))]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
