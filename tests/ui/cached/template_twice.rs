use cache_runtime::cached;

#[cached(key = "user:<id>:<id>", ttl = 60)]
async fn find(id: u64, org_id: u64) -> u64 {
    id + org_id
}

fn main() {}
