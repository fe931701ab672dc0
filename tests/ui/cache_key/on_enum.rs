use cache_runtime::CacheKey;

#[derive(CacheKey)]
#[cache_key("user:<id>")]
enum UserKey {
    Id(u64),
}

fn main() {}
