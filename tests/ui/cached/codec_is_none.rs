use cache_runtime::cached;

struct Cbor;

#[cached(key = "user:<id>", ttl = 60, codec = Cbor)]
async fn find(id: u64) -> u64 {
    id
}

fn main() {}
