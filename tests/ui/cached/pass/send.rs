use std::sync::Arc;

use cache_runtime::{cached, invalidates};

struct Repo(String);

impl Repo {
    #[cached(key = "user:<self.0>:<id>", ttl = 60)]
    async fn find(&self, id: u64) -> Result<u64, String> {
        tokio::task::yield_now().await;
        Ok(id)
    }

    #[invalidates("user:<self.0>:<id>", "user:<self.0>:<return>")]
    async fn change(&self, id: u64, name: String) -> Result<u64, String> {
        tokio::task::yield_now().await;
        drop(name);
        Ok(id)
    }
}

#[tokio::main]
async fn main() {
    let repo = Arc::new(Repo("t".into()));
    let task = tokio::spawn(async move { (repo.find(1).await, repo.change(1, "x".into()).await) });
    assert_eq!(task.await.unwrap(), (Ok(1), Ok(1)));
}
