use cache_runtime::invalidates;

use std::pin::Pin;

#[invalidates("user:<id>")]
fn change(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    other(id)
}

fn other(id: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move { id })
}

fn main() {}
