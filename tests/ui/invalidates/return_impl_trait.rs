use cache_runtime::invalidates;

#[invalidates("user:<return>")]
async fn change() -> impl Sized {
    1_u64
}

fn main() {}
