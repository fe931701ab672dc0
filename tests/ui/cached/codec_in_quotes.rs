use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, codec = "json")]
async fn find(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>", ttl = 60, codec)]
async fn find_again(id: u64) -> u64 {
    id
}

fn main() {}
