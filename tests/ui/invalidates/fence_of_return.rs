use cache_runtime::invalidates;

#[invalidates("user:<return>", fence)]
async fn change() -> u64 {
    1
}

fn main() {}
