use cache_runtime::cached;

#[derive(Clone)]
struct User;

#[cached(key = "user:<id>", ttl = 60)]
async fn find(id: u64) -> Result<Option<User>, String> {
    let _ = id;
    Ok(Some(User))
}

fn main() {}
