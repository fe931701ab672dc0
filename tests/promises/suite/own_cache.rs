//! `cache = <expression>`: a cache of its own, and not the global one.

use cache_runtime::{Cache, CacheConfig, Mode, cached, global, invalidates, write_through};

use super::{Runs, Unique, fresh};

struct Service {
    cache: Cache,
    runs: Runs,
}

impl Service {
    fn new() -> Self {
        Self {
            cache: Cache::new(CacheConfig::embedded()).expect("a cache"),
            runs: Runs::default(),
        }
    }

    #[cached(key = "own:<id>", ttl = "1h", cache = self.cache)]
    async fn find(&self, id: u64) -> Result<usize, Unique> {
        let _ = id;
        Ok(self.runs.note())
    }

    #[cached(key = "own:tagged:<id>", ttl = "1h", tags = ["own:<id>"], cache = self.handle())]
    async fn find_tagged(&self, id: String) -> Result<usize, Unique> {
        drop(id);
        Ok(self.runs.note())
    }

    #[invalidates("own:<id>", tag = "own:<id>", cache = self.cache)]
    async fn change(&self, id: u64) {
        let _ = id;
    }

    #[write_through(key = "own:<id>", ttl = "1h", value = |()| 77_usize, cache = &self.cache)]
    async fn write(&self, id: u64) -> Result<(), Unique> {
        let _ = id;
        Ok(())
    }

    fn handle(&self) -> Cache {
        self.cache.clone()
    }
}

#[tokio::test]
async fn two_caches_share_nothing() {
    let (id, one, other) = (fresh(), Service::new(), Service::new());
    assert_eq!(one.find(id).await, Ok(1));
    assert_eq!(one.find(id).await, Ok(1));
    assert_eq!(other.find(id).await, Ok(1), "its own first load");
    assert_eq!(other.runs.count(), 1);
    one.change(id).await;
    assert_eq!(one.find(id).await, Ok(2));
    assert_eq!(other.find(id).await, Ok(1), "not invalidated");
    one.write(id).await.expect("written");
    assert_eq!(one.find(id).await, Ok(77));
    assert_eq!(other.find(id).await, Ok(1));
}

#[tokio::test]
async fn tags_are_those_of_the_same_cache() {
    let (id, one, other) = (fresh(), Service::new(), Service::new());
    for service in [&one, &other] {
        assert_eq!(service.find_tagged(id.to_string()).await, Ok(1));
        assert_eq!(service.find_tagged(id.to_string()).await, Ok(1));
    }
    one.change(id).await;
    assert_eq!(one.find_tagged(id.to_string()).await, Ok(2));
    assert_eq!(other.find_tagged(id.to_string()).await, Ok(1));
}

#[tokio::test]
async fn its_calls_are_counted_in_it_and_at_the_call_site() {
    let (id, service) = (fresh(), Service::new());
    let site = cache_runtime::call_sites()
        .find(|site| site.function().ends_with("::find") && site.templates() == ["own:<id>"])
        .expect("registered");
    let (site_before, global_before) = (site.stats(), global().stats());
    service.find(id).await.expect("found");
    service.find(id).await.expect("found");
    service.change(id).await;
    let stats = service.cache.stats();
    assert_eq!((stats.misses, stats.hits, stats.invalidations), (1, 1, 2));
    assert!(site.stats().since(&site_before).hits >= 1);
    // Other tests run meanwhile: but none of them loads as often as this.
    for _ in 0..10_000 {
        service.find(id).await.expect("found");
    }
    assert!(global().stats().since(&global_before).hits < 10_000);
}

#[tokio::test]
async fn it_is_switched_alone() {
    let (id, one, other) = (fresh(), Service::new(), Service::new());
    one.cache.set_mode(Mode::Off).expect("switched");
    for runs in 1..3 {
        assert_eq!(one.find(id).await, Ok(runs), "the plain call");
        assert_eq!(other.find(id).await, Ok(1));
    }
    assert_eq!(global().mode(), Mode::On);
}
