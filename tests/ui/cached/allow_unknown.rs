use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, allow = "never_invalidatd")]
async fn find(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>", ttl = 60, allow = ["different_ttls", "unmatched_invalidation"])]
async fn find_again(id: u64) -> u64 {
    id
}

fn main() {}
