use cache_runtime::invalidates;

#[invalidates("user:<id>", pattern = "user:*")]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
