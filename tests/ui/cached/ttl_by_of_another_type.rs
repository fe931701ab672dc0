use cache_runtime::cached;

#[cached(key = "user:<id>", ttl_by = |id| *id)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
