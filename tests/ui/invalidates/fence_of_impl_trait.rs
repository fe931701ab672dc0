use cache_runtime::invalidates;

#[invalidates("user:<id>", fence)]
async fn change(id: u64) -> impl Send {
    id
}

fn main() {}
