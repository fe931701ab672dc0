use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = "1m", local_ttl = "5m")]
async fn find(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
