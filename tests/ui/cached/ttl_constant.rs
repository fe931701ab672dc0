use cache_runtime::cached;

const MINUTE: u64 = 60;

#[cached(key = "user:<id>", ttl = MINUTE)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
