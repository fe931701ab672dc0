use cache_runtime::invalidates;

#[invalidates("user:<id>", tags)]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
