use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: u64) -> u64 {
    let x = ;
    id
}

fn main() {}
