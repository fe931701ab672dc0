use cache_runtime::{cached, invalidates};

trait Users {
    async fn find(&self, id: u64) -> Option<u64>;
    async fn change(&mut self, id: u64);
    #[cached(key = "default:<id>", ttl = 60)]
    async fn default(&self, id: u64) -> u64 {
        id
    }
}

struct Repo(u64);

impl Users for Repo {
    #[cached(key = "user:<self.0>:<id>", ttl = 60)]
    async fn find(&self, id: u64) -> Option<u64> {
        Some(self.0 + id)
    }
    #[invalidates("user:<self.0>:<id>")]
    async fn change(&mut self, id: u64) {
        self.0 = id;
    }
}

#[tokio::main]
async fn main() {
    let mut repo = Repo(1);
    assert_eq!(repo.find(2).await, Some(3));
    repo.change(5).await;
    assert_eq!(repo.find(2).await, Some(7));
    assert_eq!(repo.default(4).await, 4);
}
