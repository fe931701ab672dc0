pub extern crate cache_runtime as other;

mod reexports {
    pub use other as caching;
}

use other::{CacheKey, KeyPart, cached, invalidates};

// Nothing is found by its usual name.
#[allow(dead_code)]
mod cache_runtime {}

#[derive(CacheKey)]
#[cache_key("typed:<id>", value = u64, crate = crate::reexports::caching)]
struct UserKey {
    id: u64,
}

#[derive(KeyPart)]
#[key_part(crate = other)]
struct UserId(u64);

#[cached(key = "user:<id>", ttl = 60, crate = other)]
async fn find(id: UserId) -> Option<u64> {
    Some(id.0)
}

#[cached(key = UserKey { id }, ttl = 60, crate = reexports::caching)]
async fn typed(id: u64) -> Option<u64> {
    Some(id)
}

#[invalidates("user:<id>", "user:<return>", UserKey { id }, crate = crate::reexports::caching)]
async fn change(id: u64) -> u64 {
    id
}

#[tokio::main]
async fn main() {
    assert_eq!(find(UserId(1)).await, Some(1));
    assert_eq!(typed(1).await, Some(1));
    assert_eq!(change(1).await, 1);
}
