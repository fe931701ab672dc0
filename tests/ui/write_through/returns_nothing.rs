use cache_runtime::write_through;

#[write_through(key = "user:<id>", ttl = "1h")]
async fn save(id: u64) {
    let _ = id;
}

#[write_through(key = "user:<id>", ttl = "1h")]
async fn save_or_fail(id: u64) -> Result<(), String> {
    let _ = id;
    Ok(())
}

fn main() {}
