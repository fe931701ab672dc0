use cache_runtime::cached;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    is_active: bool,
}

#[cached(key = "user:<id>", ttl = "1h", when = |user| user.active)]
async fn find(id: u64) -> Option<User> {
    let _ = id;
    None
}

fn main() {}
