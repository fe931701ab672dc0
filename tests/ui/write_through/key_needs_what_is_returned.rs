use cache_runtime::write_through;

#[write_through(key = "user:<return>", ttl = "1h")]
async fn create(name: &str) -> u64 {
    name.len() as u64
}

fn main() {}
