//! The user that the guide on operations makes for the cache may do all that the cache does, and nothing is asked that he may not.

use std::collections::HashMap;
use std::time::Duration;

use cache_runtime::{
    Breaker, Cache, CacheConfig, Changed, Key, Mode, Verdict, cached, invalidates, write_through,
};
use cache_tests::{RedisServer, eventually};

const GUIDE: &str = include_str!("../cache-runtime/docs/operations.md");

struct Service {
    cache: Cache,
}

impl Service {
    #[cached(key = "one:<id>", ttl = "1m", tags = ["tag:<id>"], cache = self.cache)]
    async fn one(&self, id: u64) -> u64 {
        id
    }

    #[cached(key = "near:<id>", ttl = "1m", local_ttl = "1s", stale_while_revalidate = "1m", cache = self.cache)]
    async fn near(&self, id: u64) -> u64 {
        id
    }

    #[cached(batch(id in ids), key = "many:<id>", ttl = "1m", cache = self.cache)]
    async fn many(&self, ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, *id)).collect()
    }

    #[write_through(key = "written:<id>", ttl = "1m", cache = self.cache)]
    async fn write(&self, id: u64) -> u64 {
        id
    }

    #[cached(key = "written:<id>", ttl = "1m", cache = self.cache)]
    async fn written(&self, id: u64) -> u64 {
        id
    }

    #[invalidates("many:<id>", "written:<id>", fence, cache = self.cache)]
    async fn change(&self, id: u64) {
        // Taints the fence.
        let key = Key::of("written").part(&id);
        self.cache.invalidate(&key).await.expect("delivered");
    }

    #[invalidates("near:*", tag = "tag:<id>", cache = self.cache)]
    async fn import(&self, id: u64) {
        let _ = id;
    }

    async fn does_everything(&self) {
        for id in 1..4 {
            for _ in 0..2 {
                self.one(id).await;
                self.near(id).await;
                self.many(&[id, id + 1]).await;
            }
            self.write(id).await;
            self.written(id).await;
            self.change(id).await;
            self.import(id).await;
        }
        let cache = &self.cache;
        cache.advance_epoch().await.expect("moved");
        cache.census().await.expect("counted");
        for on in [false, true] {
            cache.switch_fleet(on, "ada").await.expect("thrown");
            let thrown = cache.switch_template("one:<id>", on, "ada").await;
            thrown.expect("thrown");
        }
        cache.inspect(&Key::of("k")).await.expect("looked at");
    }
}

#[tokio::test]
async fn the_user_of_the_guide_may_do_all_that_the_cache_does() {
    let well = ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];
    let server = RedisServer::start_with(&well);
    let rules = GUIDE.lines().filter(|line| line.starts_with("ACL SETUSER"));
    let rules: Vec<_> = rules.collect();
    assert_eq!(rules.len(), 4, "the guide has a user");
    for rule in rules {
        let _: () = server.ask(&rule.split(' ').collect::<Vec<_>>());
    }
    let url = format!("redis://cache:secret@127.0.0.1:{}", server.port());
    let config = CacheConfig::redis(&url).expect("a URL");
    let cache = Cache::new(config).expect("a cache");
    let service = Service { cache };
    let cache = &service.cache;
    service.does_everything().await;
    let diagnosis = cache.doctor().await;
    assert_eq!(diagnosis.verdict(), Verdict::Ok, "{diagnosis}");

    // What is put back, and dated.
    let dated = || server.ask::<Option<String>>(&["HGET", "cache:%switch", "changed"]);
    let before = dated();
    let _: u64 = server.ask(&["DEL", "cache:%switch"]);
    eventually("it is put back", async || dated() == before).await;
    let _: u64 = server.ask(&["HSET", "cache:%switch", "mode", "off"]);
    eventually("it is dated", async || dated() > before).await;
    eventually("the switch", async || cache.mode() == Mode::Off).await;
    assert!(cache.shutdown(Duration::from_secs(10)).await.is_ok());

    let denied: redis::Value = server.ask(&["ACL", "LOG"]);
    assert_eq!(denied, redis::Value::Array(Vec::new()));
    assert_eq!(cache.stats().store_errors, 0);
    assert_eq!(cache.snapshot().breaker, Breaker::Closed);
    let changes = cache.changes();
    let refused = |what: &Changed| {
        matches!(
            what,
            Changed::Refused { .. } | Changed::NotTold { .. } | Changed::FleetUnread { .. }
        )
    };
    assert!(
        !changes.iter().any(|change| refused(&change.what)),
        "{changes:?}"
    );
}
