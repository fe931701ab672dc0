use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key("user:<id>")]
struct UserKey {
    id: u64,
    limit: u64,
}

fn main() {}
