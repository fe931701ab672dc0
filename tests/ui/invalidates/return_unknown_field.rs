use cache_runtime::invalidates;

struct User {
    id: u64,
}

#[invalidates("user:<return.ident>")]
async fn change() -> Result<User, String> {
    Ok(User { id: 1 })
}

fn main() {}
