use cache_runtime::{cached, invalidates};

struct Service {
    cache: u64,
}

impl Service {
    #[cached(key = "user:<id>", ttl = 60, cache = self.cache)]
    async fn no_cache(&self, id: u64) -> u64 {
        id
    }

    #[invalidates("user:<id>", cache = self.cahce)]
    async fn misspelt(&self, id: u64) {
        let _ = id;
    }
}

#[cached(key = "user:<id>", ttl = 60, cache = "self.cache")]
async fn in_quotes(id: u64) -> u64 {
    id
}

fn main() {}
