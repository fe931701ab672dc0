use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 18446744073709551615)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
