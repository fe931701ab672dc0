//! The switch of the fleet, in one process of it.

use std::collections::HashMap;
use std::time::Duration;

use cache_runtime::{
    Cache, CacheKey, Changed, ErrorKind, Key, Mode, Policy, cached, invalidates, only_cached,
    write_through,
};

use super::Runs;

struct Service {
    cache: Cache,
    runs: Runs,
}

#[derive(CacheKey)]
#[cache_key("fleet:typed:<id>", value = usize)]
struct TypedKey {
    id: u64,
}

impl Service {
    fn new() -> Self {
        Self {
            cache: crate::apart(),
            runs: Runs::default(),
        }
    }

    #[cached(key = "fleet:one:<id>", ttl = "1h", cache = self.cache)]
    async fn one(&self, id: u64) -> usize {
        let _ = id;
        self.runs.note()
    }

    #[invalidates("fleet:one:<id>", cache = self.cache)]
    async fn change_one(&self, id: u64) {
        let _ = id;
    }

    #[write_through(key = "fleet:one:<id>", ttl = "1h", value = |()| 77_usize, cache = self.cache)]
    async fn write_one(&self, id: u64) {
        let _ = id;
    }

    #[cached(key = "fleet:other:<id>", ttl = "1h", cache = self.cache)]
    async fn other(&self, id: u64) -> usize {
        let _ = id;
        self.runs.note()
    }

    #[cached(key = TypedKey { id }, ttl = "1h", cache = self.cache)]
    async fn typed(&self, id: u64) -> usize {
        self.runs.note()
    }

    #[cached(key = "fleet:stale:<id>", ttl = "1h", stale_while_revalidate = "1h", refresh = "inline", cache = self.cache)]
    async fn stale(&self, id: u64) -> usize {
        let _ = id;
        self.runs.note()
    }

    #[cached(batch(id in ids), key = "fleet:many:<id>", ttl = "1h", cache = self.cache)]
    async fn many(&self, ids: &[u64]) -> HashMap<u64, usize> {
        ids.iter().map(|id| (*id, self.runs.note())).collect()
    }

    async fn off(&self, template: &str) {
        let thrown = self.cache.switch_template(template, false, "ada").await;
        thrown.expect("thrown");
    }

    async fn on(&self, template: &str) {
        let thrown = self.cache.switch_template(template, true, "ada").await;
        thrown.expect("thrown");
    }
}

#[tokio::test]
async fn off_reads_are_plain_calls_and_mutations_still_invalidate() {
    let service = Service::new();
    let cache = &service.cache;
    let before = service.one(1).await;
    assert_eq!(service.one(1).await, before, "a hit");

    cache.switch_fleet(false, "ada").await.expect("thrown");
    assert_eq!(cache.mode(), Mode::Off);
    assert_ne!(service.one(1).await, before);
    let (key, policy) = (Key::of("d"), Policy::new(Duration::from_secs(3600)));
    for value in 1..3 {
        let load = async || Ok::<_, ()>(value);
        assert_eq!(cache.get_or_load(&key, policy, load).await, Ok(value));
    }
    service.change_one(1).await;
    let fleet = cache.fleet();
    assert!(!fleet.on && fleet.thrown.since.is_some());
    assert_eq!(fleet.thrown.by.as_deref(), Some("ada"));

    cache.switch_fleet(true, "grace").await.expect("thrown");
    assert_eq!(cache.mode(), Mode::On);
    let after = service.one(1).await;
    assert_ne!(after, before, "it was invalidated while all was off");
    assert_eq!(service.one(1).await, after, "a hit");
    let told: Vec<_> = cache.changes();
    let told = told
        .iter()
        .map(|change| (&change.what, change.by.as_deref()));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (&Changed::FleetSwitched { on: false }, Some("ada")),
            (&Changed::FleetSwitched { on: true }, Some("grace")),
        ]
    );
}

#[tokio::test]
async fn the_stricter_of_process_and_fleet_is_in_force() {
    let cache = crate::apart();
    cache.switch_fleet(false, "ada").await.expect("thrown");
    cache.set_mode(Mode::On).expect("a mode");
    assert_eq!(cache.mode(), Mode::Off, "the fleet is off");
    cache.set_mode(Mode::Off).expect("a mode");
    cache.switch_fleet(true, "ada").await.expect("thrown");
    assert_eq!(cache.mode(), Mode::Off, "the process is off");
    cache.set_mode(Mode::On).expect("a mode");
    assert_eq!(cache.mode(), Mode::On);
    cache.set_mode(Mode::Detached).expect("a mode");
    let error = cache.switch_fleet(false, "ada").await;
    assert_eq!(error.map_err(|error| error.kind()), Err(ErrorKind::Off));
    assert!(cache.fleet().on, "nothing has changed");
}

#[tokio::test]
async fn one_template_is_off_and_the_others_are_not() {
    let service = Service::new();
    let (one, other) = (service.one(1).await, service.other(1).await);
    service.off("fleet:one:<id>").await;
    assert_eq!(service.cache.mode(), Mode::On);
    assert_ne!(service.one(1).await, one);
    assert_eq!(service.other(1).await, other, "a hit");
    assert_eq!(
        only_cached(service.one(1)).await,
        None,
        "nor is it answered from the cache alone"
    );
    assert_eq!(only_cached(service.other(1)).await, Some(other));
    let fleet = service.cache.fleet();
    assert!(fleet.on);
    assert_eq!(fleet.templates_off[0].template, "fleet:one:<id>");
    assert_eq!(fleet.templates_off[0].thrown.by.as_deref(), Some("ada"));

    // What is written meanwhile takes effect, and is stored by nobody.
    service.write_one(1).await;
    service.on("fleet:one:<id>").await;
    let after = service.one(1).await;
    assert!(after != one && after != 77, "{after}");
    assert_eq!(service.one(1).await, after, "a hit");
    assert!(service.cache.fleet().templates_off.is_empty());
}

#[tokio::test]
async fn every_form_of_a_cached_function_can_be_switched_off() {
    let service = Service::new();
    let ids = [1, 2];
    let before = (
        service.typed(1).await,
        service.stale(1).await,
        service.many(&ids).await,
    );
    for template in ["fleet:typed:<id>", "fleet:stale:<id>", "fleet:many:<id>"] {
        service.off(template).await;
    }
    assert_ne!(service.typed(1).await, before.0);
    assert_ne!(service.stale(1).await, before.1);
    assert_ne!(service.many(&ids).await, before.2);
    assert_eq!(only_cached(service.many(&ids)).await, None);
    for template in ["fleet:typed:<id>", "fleet:stale:<id>", "fleet:many:<id>"] {
        service.on(template).await;
    }
    let after = (
        service.typed(1).await,
        service.stale(1).await,
        service.many(&ids).await,
    );
    assert_eq!(after, before, "nothing was stored, nothing invalidated");
}

#[tokio::test]
async fn a_template_that_nobody_has_is_refused() {
    let cache = crate::apart();
    let error = cache.switch_template("fleet:misspelt:<id>", false, "ada");
    let error = error.await.expect_err("nobody has it");
    assert_eq!(error.kind(), ErrorKind::UnknownTemplate);
    assert!(
        error.to_string().contains("`fleet:misspelt:<id>`"),
        "{error}"
    );
    let error = cache.switch_template("fleet:othr:<id>", false, "ada").await;
    let error = error.expect_err("nobody has it").to_string();
    assert!(
        error.contains("did you mean `fleet:other:<id>`?"),
        "{error}"
    );
    assert!(cache.fleet().templates_off.is_empty());
    // One that a program no longer has can be switched on.
    let on = cache.switch_template("fleet:misspelt:<id>", true, "ada");
    assert!(on.await.is_ok());
}
