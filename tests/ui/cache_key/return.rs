use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key("user:<return.id>")]
struct UserKey {
    id: u64,
}

fn main() {}
