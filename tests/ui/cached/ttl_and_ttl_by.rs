use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = "1h", ttl_by = |id| std::time::Duration::from_secs(*id))]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
