use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: u64) -> impl Iterator<Item = u64> {
    0..id
}

fn main() {}
