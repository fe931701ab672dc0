use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key(USER)]
struct UserKey {
    id: u64,
}

fn main() {}
