use cache_runtime::cached;

use std::pin::Pin;

#[cached(key = "user:<name>", ttl = 60)]
fn find<'a>(name: &'a str) -> Pin<Box<dyn Future<Output = &'a str> + Send + 'a>> {
    Box::pin(async move { name })
}

fn main() {}
