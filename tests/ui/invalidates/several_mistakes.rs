use cache_runtime::invalidates;

#[invalidates("user::<id>", "user:<ix>", tags, 5)]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
