use cache_runtime::invalidates;

#[invalidates("user:<id>", crate)]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
