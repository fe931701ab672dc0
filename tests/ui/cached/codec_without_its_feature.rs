use cache_runtime::{Json, cached};

#[cached(key = "user:<id>", ttl = 60, codec = Json)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
