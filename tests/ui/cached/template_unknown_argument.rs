use cache_runtime::cached;

#[cached(key = "user:<user_di>", ttl = 60)]
async fn find(user_id: u64) -> u64 {
    user_id
}

fn main() {}
