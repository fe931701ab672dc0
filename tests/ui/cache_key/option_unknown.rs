use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key("user:<id>", vlaue = String)]
struct UserKey {
    id: u64,
}

fn main() {}
