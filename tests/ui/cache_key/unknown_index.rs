use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key("user:<0>:<2>")]
struct UserKey(u64, u64);

fn main() {}
