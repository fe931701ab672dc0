use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use cache_runtime::cached;

#[derive(Clone)]
struct Repo {
    tenant: String,
}

impl Repo {
    #[cached(key = "by_ref:<self.tenant>:<id>", ttl = 60)]
    async fn by_ref(&self, id: u64) -> u64 {
        self.tenant.len() as u64 + id
    }
    #[cached(key = "by_mut:<self.tenant>:<id>", ttl = 60)]
    async fn by_mut(&mut self, id: u64) -> u64 {
        self.tenant.push('x');
        id
    }
    #[cached(key = "by_value:<self.tenant>", ttl = 60)]
    async fn by_value(self) -> String {
        self.tenant
    }
    #[cached(key = "mut_self:<self.tenant>", ttl = 60)]
    async fn mut_self(mut self) -> String {
        self.tenant.push('x');
        self.tenant
    }
    #[cached(key = "by_arc:<self.tenant>", ttl = 60)]
    async fn by_arc(self: Arc<Self>) -> String {
        self.tenant.clone()
    }
    #[cached(key = "by_rc:<self.tenant>", ttl = 60)]
    async fn by_rc(self: Rc<Self>) -> String {
        self.tenant.clone()
    }
    #[cached(key = "by_box:<self.tenant>", ttl = 60)]
    async fn by_box(self: Box<Self>) -> String {
        self.tenant
    }
    #[cached(key = "by_pin:<self.tenant>", ttl = 60)]
    async fn by_pin(self: Pin<&Self>) -> String {
        self.tenant.clone()
    }
    #[cached(key = "typed_ref:<self.tenant>", ttl = 60)]
    async fn typed_ref<'a>(self: &'a Self) -> String {
        self.tenant.clone()
    }
    #[cached(key = "associated", ttl = 60)]
    async fn associated() -> usize {
        std::mem::size_of::<Self>()
    }
}

#[tokio::main]
async fn main() {
    let mut repo = Repo { tenant: "t".into() };
    assert_eq!(repo.by_ref(1).await, 2);
    assert_eq!(repo.by_mut(1).await, 1);
    assert_eq!(repo.clone().by_value().await, "tx");
    assert_eq!(repo.clone().mut_self().await, "txx");
    assert_eq!(Arc::new(repo.clone()).by_arc().await, "tx");
    assert_eq!(Rc::new(repo.clone()).by_rc().await, "tx");
    assert_eq!(Box::new(repo.clone()).by_box().await, "tx");
    assert_eq!(Pin::new(&repo).by_pin().await, "tx");
    assert_eq!(repo.typed_ref().await, "tx");
    assert!(Repo::associated().await > 0);
}
