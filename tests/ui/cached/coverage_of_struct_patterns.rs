use cache_runtime::cached;

struct Query {
    id: u64,
    limit: u64,
}

#[cached(key = "user:<id>", ttl = 60)]
async fn find(Query { id, limit: page }: Query) -> u64 {
    id + page
}

fn main() {}
