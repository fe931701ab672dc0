use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60)]
async fn find<T: Send>(id: T) -> u64 {
    drop(id);
    1
}

fn main() {}
