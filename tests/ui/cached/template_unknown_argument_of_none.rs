use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find() -> u64 {
    1
}

fn main() {}
