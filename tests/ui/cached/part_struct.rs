use cache_runtime::cached;

struct User;

#[cached(key = "user:<user>", ttl = 60)]
async fn find(user: &User) -> u64 {
    let _ = user;
    1
}

fn main() {}
