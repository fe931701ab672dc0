use cache_runtime::cached;

#[async_trait::async_trait]
trait Users {
    async fn find(&self, id: u64, page: (u64, u64), _: u8) -> Option<u64>;
}

struct Repo;

#[async_trait::async_trait]
impl Users for Repo {
    #[cached(key = "user:<idd>", ttl = 60)]
    async fn find(&self, id: u64, (offset, limit): (u64, u64), _: u8) -> Option<u64> {
        Some(id + offset + limit)
    }
}

struct Other;

#[async_trait::async_trait]
impl Users for Other {
    #[cached(key = "other:<id>:<offset>", ttl = 60)]
    async fn find(&self, id: u64, (offset, limit): (u64, u64), _: u8) -> Option<u64> {
        Some(id + offset + limit)
    }
}

fn main() {}
