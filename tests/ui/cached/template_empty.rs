use cache_runtime::cached;

#[cached(key = "", ttl = 60)]
async fn find() -> u64 {
    1
}

fn main() {}
