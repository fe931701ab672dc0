use cache_runtime::cached;

struct User {
    id: u64,
}

#[cached(key = "user:<user.ident>", ttl = 60)]
async fn find(user: &User) -> u64 {
    user.id
}

fn main() {}
