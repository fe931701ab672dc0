use cache_runtime::{cached, invalidates};

#[invalidates("user:*:name", "user:<id>*", "user:<idd>:*", ":*", "*")]
async fn mistakes(id: u64) -> u64 {
    id
}

#[invalidates("user:<id>:*", fence)]
async fn fenced(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>:*", ttl = 60)]
async fn cached_pattern(id: u64) -> u64 {
    id
}

fn main() {}
