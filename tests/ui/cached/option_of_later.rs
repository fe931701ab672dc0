use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, stale_while_revalidate = "1m")]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
