use cache_runtime::cached;

struct Repo;

impl Repo {
    #[cached(key = "user:<id>", ttl = 60, skip(self))]
    async fn find(&self, id: u64) -> u64 {
        id
    }
}

fn main() {}
