use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find((id, limit): (u64, u64)) -> u64 {
    id + limit
}

fn main() {}
