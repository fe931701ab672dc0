use cache_runtime::cached;

#[cached(key = "user:<0>:<id>", ttl = 60)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
