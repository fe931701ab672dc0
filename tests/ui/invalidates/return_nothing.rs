use cache_runtime::invalidates;

#[invalidates("user:<return.id>")]
async fn change() {
    
}

fn main() {}
