use cache_runtime::invalidates;

#[invalidates("price:<amount>")]
async fn change(amount: f64) {
    drop(amount);
}

fn main() {}
