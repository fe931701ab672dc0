use cache_runtime::cached;

#[cached(key = "user:<usr.id>", ttl = 60)]
async fn find(user: (u64,)) -> u64 {
    user.0
}

fn main() {}
