use cache_runtime::CacheKey;

#[derive(CacheKey)]
struct UserKey {
    id: u64,
}

fn main() {}
