use cache_runtime::invalidates;

#[invalidates("user::<id>", "user:<ix>", fence, 5)]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
