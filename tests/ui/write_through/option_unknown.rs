use cache_runtime::write_through;

#[write_through(key = "user:<id>", ttl = "1h", none_ttl = "1m", wen = |_| true)]
async fn save(id: u64) -> u64 {
    id
}

#[write_through("user:<id>", ttl = "1h")]
async fn unnamed(id: u64) -> u64 {
    id
}

#[write_through(key = "user:<idd>", ttl = "0s", value = 5)]
async fn mistakes(id: u64) -> u64 {
    id
}

fn main() {}
