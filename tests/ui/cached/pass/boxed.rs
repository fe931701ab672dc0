use std::future::Future;
use std::pin::Pin;

use cache_runtime::{cached, invalidates};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

struct Repo {
    tenant: String,
}

impl Repo {
    #[cached(key = "user:<self.tenant>:<id>", ttl = 60)]
    fn find(&self, id: u64) -> Pin<Box<dyn Future<Output = Result<u64, String>> + Send + '_>> {
        Box::pin(async move {
            if id == 0 {
                return Err(self.tenant.clone());
            }
            Ok(id)
        })
    }

    #[cached(key = "alias:<self.tenant>:<id>", ttl = 60)]
    fn alias<'a>(&'a self, id: &'a str) -> BoxFuture<'a, String> {
        Box::pin(async move { self.tenant.clone() + id })
    }

    // A rename of another argument is part of the body: the key's `id` is the argument.
    #[cached(key = "shadowed:<id>:<other>", ttl = 60)]
    fn shadowed(id: u64, other: u64) -> BoxFuture<'static, u64> {
        Box::pin(async move {
            let id = other + id;
            id
        })
    }

    #[invalidates("user:<self.tenant>:<id>")]
    fn change(&self, id: u64) -> Pin<Box<dyn Future<Output = ()> + '_>> {
        Box::pin(async move {
            let _ = (self, id);
        })
    }
}

#[tokio::main]
async fn main() {
    let repo = Repo { tenant: "t".into() };
    assert_eq!(repo.find(1).await, Ok(1));
    assert_eq!(repo.find(0).await, Err("t".into()));
    assert_eq!(repo.alias("x").await, "tx");
    assert_eq!(Repo::shadowed(1, 2).await, 3);
    assert_eq!(Repo::shadowed(2, 2).await, 4);
    repo.change(1).await;
}
