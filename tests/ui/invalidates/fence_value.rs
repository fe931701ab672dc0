use cache_runtime::invalidates;

#[invalidates("user:<id>", fence = true)]
async fn change(id: u64) {
    let _ = id;
}

fn main() {}
