use cache_runtime::cached;

#[cached(key = "user:<user_di>", ttl = "5 parsecs", verison = 2, skip(databse))]
fn find(database: &str, user_id: u64) -> Option<u64> {
    Some(user_id + database.len() as u64)
}

fn main() {}
