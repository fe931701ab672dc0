use std::sync::Arc;

use async_trait::async_trait;
use cache_runtime::{CacheKey, CacheValue, KeyPart, cached, invalidates};

#[derive(CacheKey)]
#[cache_key("typed:<tenant>:<id>", value = u64)]
struct UserKey<'a> {
    tenant: &'a str,
    id: u64,
}

#[async_trait]
trait Users {
    async fn find(&self, id: u64, name: &str, pair: (u64, String), _: u8) -> Result<Option<u64>, String>;
    async fn typed(&self, id: u64) -> Option<u64>;
    async fn owned(self, id: u64) -> u64;
    async fn shared(self: Arc<Self>, id: u64) -> u64;
    async fn generic<T: CacheValue, K: KeyPart + Send + Sync>(&self, key: K, value: T) -> T;
    async fn change(&mut self, id: u64, name: String) -> Result<u64, String>;
    async fn nothing(&self);
    async fn associated(id: u64) -> u64;
    #[cached(key = "default:<id>", ttl = 60)]
    async fn default(&self, id: u64) -> u64 {
        id
    }
}

struct Repo {
    tenant: String,
}

#[async_trait]
impl Users for Repo {
    #[cached(key = "user:<self.tenant>:<id>:<name>:<a>:<b>", ttl = 60)]
    async fn find(&self, mut id: u64, name: &str, (a, b): (u64, String), _: u8) -> Result<Option<u64>, String> {
        if id == 0 {
            return Err(b);
        }
        id += name.parse::<u64>().map_err(|error| error.to_string())?;
        Ok(Some(id + a))
    }
    #[cached(key = UserKey { tenant: &self.tenant, id }, ttl = 60)]
    async fn typed(&self, id: u64) -> Option<u64> {
        Some(id)
    }
    #[cached(key = "owned:<self.tenant>:<id>", ttl = 60)]
    async fn owned(self, id: u64) -> u64 {
        drop(self.tenant);
        id
    }
    #[cached(key = "shared:<self.tenant>:<id>", ttl = 60)]
    async fn shared(self: Arc<Self>, id: u64) -> u64 {
        self.tenant.len() as u64 + id
    }
    #[cached(key = "generic:<key>", ttl = 60, skip(value))]
    async fn generic<T: CacheValue, K: KeyPart + Send + Sync>(&self, key: K, value: T) -> T {
        drop(key);
        value
    }
    #[invalidates("user:<self.tenant>:<id>", UserKey { tenant: &self.tenant, id })]
    #[invalidates("name:<name>:<return>")]
    #[invalidates("all")]
    async fn change(&mut self, id: u64, name: String) -> Result<u64, String> {
        self.tenant = name;
        Ok(id)
    }
    #[invalidates("all:<self.tenant>")]
    async fn nothing(&self) {}
    #[cached(key = "associated:<id>", ttl = 60)]
    async fn associated(id: u64) -> u64 {
        id
    }
}

#[async_trait(?Send)]
trait Local {
    async fn find(&self, id: u64) -> u64;
}

#[async_trait(?Send)]
impl Local for Repo {
    #[cached(key = "local:<self.tenant>:<id>", ttl = 60)]
    async fn find(&self, id: u64) -> u64 {
        let shared = std::rc::Rc::new(id);
        tokio::task::yield_now().await;
        *shared
    }
}

#[tokio::main]
async fn main() {
    let mut repo = Repo { tenant: "t".into() };
    assert_eq!(Users::find(&repo, 1, "2", (3, "x".into()), 0).await, Ok(Some(6)));
    assert_eq!(Users::find(&repo, 0, "2", (3, "x".into()), 0).await, Err("x".into()));
    assert!(Users::find(&repo, 1, "two", (3, "x".into()), 0).await.is_err());
    assert_eq!(repo.typed(1).await, Some(1));
    assert_eq!(repo.generic("k", 5).await, 5);
    assert_eq!(repo.change(1, "u".into()).await, Ok(1));
    repo.nothing().await;
    assert_eq!(<Repo as Users>::associated(3).await, 3);
    assert_eq!(repo.default(3).await, 3);
    assert_eq!(Local::find(&repo, 3).await, 3);
    assert_eq!(Arc::new(Repo { tenant: "s".into() }).shared(1).await, 2);
    assert_eq!(repo.owned(1).await, 1);
}
