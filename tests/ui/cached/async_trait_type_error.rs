use cache_runtime::cached;

#[async_trait::async_trait]
trait Users {
    async fn find(&self, id: u64) -> Option<u64>;
}

struct Repo;

#[async_trait::async_trait]
impl Users for Repo {
    #[cached(key = "user:<id>", ttl = 60)]
    async fn find(&self, id: u64) -> Option<u64> {
        let name: String = id;
        Some(id)
    }
}

fn main() {}
