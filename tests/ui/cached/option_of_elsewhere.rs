use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, fence)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
