//! A program whose keys are in order, in every way in which functions can share one.

use std::sync::Arc;

use cache_runtime::{
    CacheKey, FindingKind, Key, KeyUse, audit, cached, invalidates, write_through,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct User {
    id: u64,
}

mod keys {
    use cache_runtime::CacheKey;

    #[derive(CacheKey)]
    #[cache_key("profile:<user_id>", value = super::User)]
    pub(crate) struct ProfileKey {
        pub(crate) user_id: u64,
    }
}

#[derive(CacheKey)]
#[cache_key("range:<0>-<1>")]
struct RangeKey<T>(T, T);

#[derive(CacheKey)]
#[cache_key("settings:global")]
struct SettingsKey;

struct Repository<T>(T);

impl<T: Clone + Send + Sync + Serialize + for<'de> Deserialize<'de> + 'static> Repository<T> {
    #[cached(key = "user:<id>", ttl = "1h")]
    async fn find_user(&self, id: u64) -> Option<User> {
        Some(User { id })
    }

    #[cached(key = "row:<id>", ttl = "1h")]
    async fn find_row(&self, id: u64) -> Option<T> {
        (id > 0).then(|| self.0.clone())
    }

    #[invalidates("row:<id>")]
    async fn change_row(&self, id: u64) {
        let _ = id;
    }
}

#[cached(key = "user:<user_id>", ttl = 3600)]
async fn find_user_again(user_id: u64) -> Result<Option<User>, String> {
    Ok(Some(User { id: user_id }))
}

#[invalidates("user:<return.id>", "profile:<user.id>")]
async fn replace_user(user: User) -> Option<User> {
    Some(user)
}

#[cached(key = keys::ProfileKey { user_id }, ttl = "1m")]
async fn find_profile(user_id: u64) -> Option<User> {
    Some(User { id: user_id })
}

#[cached(key = RangeKey(from, to), ttl = "1m", allow = "never_invalidated")]
async fn range(from: u64, to: u64) -> Arc<[u64]> {
    (from..to).collect()
}

#[cached(key = SettingsKey, ttl = "10m")]
async fn settings() -> String {
    String::new()
}

#[invalidates(SettingsKey)]
async fn change_settings() {}

#[cached(key = "report:<id>", ttl = "10m")]
async fn report(id: u64) -> u64 {
    id
}

/// Its type is not named in the attribute, so this may be any key.
#[invalidates(key_of(id))]
async fn change_report(id: u64) {
    let _ = id;
}

fn key_of(id: u64) -> Key {
    Key::of("report").part(&id)
}

/// A tag that something drops, a pattern, and a write-through.
#[cached(key = "page:<site>:<number>", ttl = "10m", tags = ["site:<site>"])]
async fn page(site: u64, number: u64) -> u64 {
    site + number
}

#[invalidates(tag = "site:<id>")]
async fn change_site(id: u64) {
    let _ = id;
}

#[cached(key = "day:<user>:<date>", ttl = "10m")]
async fn day(user: u64, date: &str) -> String {
    format!("{user} on {date}")
}

#[invalidates("day:<user>:*")]
async fn change_days(user: u64) {
    let _ = user;
}

#[write_through(key = "settings:global", ttl = "10m")]
async fn write_settings() -> String {
    String::new()
}

#[test]
fn the_keys_are_in_order() {
    let audit = audit();
    audit.assert_clean();
    assert!(audit.is_clean());
    assert!(audit.findings().is_empty(), "{audit}");
}

#[test]
fn the_map_shows_each_function_with_its_keys() {
    let audit = audit();
    let rows: Vec<_> = audit
        .map()
        .uses()
        .map(|row| {
            let function = row.site().function();
            let name = function.rsplit("::").next().unwrap_or(function);
            (row.key(), name)
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("day:<user>:*", "change_days"),
            ("day:<user>:<date>", "day"),
            ("key_of(id)", "change_report"),
            ("page:<site>:<number>", "page"),
            ("profile:<user.id>", "replace_user"),
            ("profile:<user_id>", "find_profile"),
            ("range:<0>-<1>", "range"),
            ("report:<id>", "report"),
            ("row:<id>", "find_row"),
            ("row:<id>", "change_row"),
            ("settings:global", "settings"),
            ("settings:global", "change_settings"),
            ("settings:global", "write_settings"),
            ("tag site:<id>", "change_site"),
            ("tag site:<site>", "page"),
            ("user:<id>", "find_user"),
            ("user:<return.id>", "replace_user"),
            ("user:<user_id>", "find_user_again"),
        ]
    );
    let table = audit.map().to_string();
    assert!(table.contains("audit/clean.rs:"), "{table}");
    let lines = table.lines().count();
    assert_eq!(lines, 1 + rows.len());
    assert_eq!(audit.map().to_mermaid().matches("-->").count(), 10);
    assert_eq!(audit.map().to_dot().matches("style=dashed").count(), 8);
}

#[test]
fn the_types_of_values_are_known_where_they_have_a_name() {
    let audit = audit();
    let of = |wanted: &str| {
        let mut rows = audit.map().uses().map(KeyUse::site);
        let site = rows.find(|site| site.function().ends_with(wanted));
        site.expect("a call site").value_type()
    };
    assert_eq!(of("::find_user"), Some(std::any::type_name::<User>()));
    assert_eq!(of("::find_user_again"), of("::find_user"));
    assert_eq!(of("::find_profile"), of("::find_user"));
    assert_eq!(of("::range"), Some("alloc::sync::Arc<[u64]>"));
    assert_eq!(of("::settings"), Some("alloc::string::String"));
    assert_eq!(of("::find_row"), None, "a parameter of the impl");
    assert_eq!(of("::change_row"), None, "it stores nothing");
}

#[test]
fn kinds_have_the_names_by_which_they_are_allowed() {
    assert_eq!(
        FindingKind::DifferentValueTypes.to_string(),
        "different_value_types"
    );
}

/// What is annotated also runs.
#[tokio::test]
async fn a_function_is_as_it_was() {
    assert_eq!(
        (page(1, 2).await, day(1, "May 1").await.as_str()),
        (3, "1 on May 1")
    );
    assert_eq!(write_settings().await, "");
    change_site(1).await;
    change_days(1).await;
    let repository = Repository(1_u8);
    assert_eq!(repository.find_row(1).await, Some(1));
    repository.change_row(1).await;
    assert_eq!(repository.find_user(2).await.map(|user| user.id), Some(2));
    let replaced = replace_user(User { id: 2 }).await;
    let found = find_user_again(2).await.expect("it does not fail");
    assert_eq!(replaced.map(|user| user.id), found.map(|user| user.id));
    assert!(find_profile(3).await.is_some());
    assert_eq!(range(1, 3).await[..], [1, 2]);
    assert_eq!(settings().await, "");
    change_settings().await;
    assert_eq!(report(4).await, 4);
    change_report(4).await;
}
