use cache_runtime::cached;

use std::pin::Pin;

#[cached(key = "user:<id>", ttl = 60)]
fn find(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    let id = id + 1;
    Box::pin(async move { id })
}

fn main() {}
