use cache_runtime::cached;

use std::pin::Pin;

#[cached(key = "user:<id>", ttl = 60)]
fn find(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        let name: &str = id;
        id
    })
}

fn main() {}
