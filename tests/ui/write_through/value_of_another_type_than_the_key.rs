use cache_runtime::{CacheKey, write_through};

#[derive(CacheKey)]
#[cache_key("user:<id>", value = String)]
struct UserKey {
    id: u64,
}

#[write_through(key = UserKey { id }, ttl = "1h")]
async fn save(id: u64) -> Result<u64, String> {
    Ok(id)
}

fn main() {}
