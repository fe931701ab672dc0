use cache_runtime::invalidates;

#[invalidates(id)]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
