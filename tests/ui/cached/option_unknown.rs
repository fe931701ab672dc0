use cache_runtime::cached;

#[cached(key = "user:<id>", tll = 60, ttl = 60)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
