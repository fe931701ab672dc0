use cache_runtime::invalidates;

#[invalidates(key = "user:<id>")]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
