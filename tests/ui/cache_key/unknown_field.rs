use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key("user:<user_di>")]
struct UserKey {
    user_id: u64,
}

fn main() {}
