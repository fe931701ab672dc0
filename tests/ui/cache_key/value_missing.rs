use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key("user:<id>", value)]
struct UserKey {
    id: u64,
}

fn main() {}
