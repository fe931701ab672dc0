use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, skip(databse))]
async fn find(database: &str, id: u64) -> u64 {
    id + database.len() as u64
}

fn main() {}
