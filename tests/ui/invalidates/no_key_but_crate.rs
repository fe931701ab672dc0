use cache_runtime::invalidates;

#[invalidates(crate = cache_runtime)]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
