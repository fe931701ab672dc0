use cache_runtime::cached;

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct User;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: u64) -> Option<User> {
    let _ = id;
    Some(User)
}

fn main() {}
