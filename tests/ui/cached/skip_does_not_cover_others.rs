use cache_runtime::cached;

#[cached(key = "user:<id>", ttl = 60, skip(db))]
async fn find(db: &str, id: u64, limit: u64) -> u64 {
    id + limit + db.len() as u64
}

fn main() {}
