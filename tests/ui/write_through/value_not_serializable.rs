use cache_runtime::write_through;

#[derive(Clone)]
struct User;

#[write_through(key = "user:<id>", ttl = "1h")]
async fn save(id: u64) -> Result<User, String> {
    Err(id.to_string())
}

#[write_through(key = "user:<id>", ttl = "1h", value = |()| User)]
async fn save_another(id: u64) -> Result<(), String> {
    Err(id.to_string())
}

fn main() {}
