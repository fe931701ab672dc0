use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
fn find(id: u64) -> impl Future<Output = u64> {
    async move { id }
}

fn main() {}
