use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: u64, f: impl Fn() -> u64) -> u64 {
    id + f()
}

fn main() {}
