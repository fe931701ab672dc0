use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: &str) -> Result<u64, String> {
    Ok(id.parse::<u64>()?)
}

fn main() {}
