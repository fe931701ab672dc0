use cache_runtime::cached;

#[cached(key = "user:list", ttl = 60)]
async fn find(id: u64, limit: u64) -> u64 {
    id + limit
}

fn main() {}
