use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, allow = never_invalidated)]
async fn find(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>", ttl = 60, allow = [])]
async fn find_again(id: u64) -> u64 {
    id
}

#[cached(key = "user:<id>", ttl = 60, allow(never_invalidated))]
async fn find_once_more(id: u64) -> u64 {
    id
}

fn main() {}
