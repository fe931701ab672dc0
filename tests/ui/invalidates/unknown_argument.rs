use cache_runtime::invalidates;

#[invalidates("user:<user_di>")]
async fn change(user_id: u64) -> u64 {
    user_id
}

fn main() {}
