use cache_runtime::invalidates;

#[invalidates("user:<id>", tag = "user:<id>")]
async fn change(id: u64) -> u64 {
    id
}

fn main() {}
