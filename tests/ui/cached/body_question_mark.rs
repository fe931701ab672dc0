use cache_runtime::cached;

struct Failure;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: &str) -> Result<u64, Failure> {
    Ok(id.parse::<u64>()?)
}

fn main() {}
