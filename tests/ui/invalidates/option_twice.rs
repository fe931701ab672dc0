use cache_runtime::invalidates;

#[invalidates("user:<id>", crate = cache_runtime, crate = cache_runtime)]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
