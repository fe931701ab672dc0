use cache_runtime::invalidates;

struct User;

#[invalidates("user:<return>")]
async fn change() -> Result<User, String> {
    Ok(User)
}

fn main() {}
