use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = "1h", when = |id| *id)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
