use cache_runtime::{CacheKey, cached};

#[derive(CacheKey)]
#[cache_key("user:<name>")]
struct UserKey {
    name: String,
}

#[cached(key = UserKey { name }, ttl = 60)]
async fn find(name: String) -> String {
    name
}

fn main() {}
