use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, none_ttl = 0)]
async fn find(id: u64) -> Option<u64> {
    Some(id)
}

fn main() {}
