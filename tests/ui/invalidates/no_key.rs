use cache_runtime::invalidates;

#[invalidates()]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
