use cache_runtime::{CacheKey, Key, invalidates};

#[derive(CacheKey)]
#[cache_key("user:<id>", value = String)]
struct UserKey {
    id: u64,
}

const SETTINGS: SettingsKey = SettingsKey;

#[derive(CacheKey)]
#[cache_key("settings:global")]
struct SettingsKey;

struct Made {
    id: u64,
    date: String,
}

#[invalidates("user:<id>", UserKey { id }, SETTINGS, SettingsKey, Key::of("x").part(&id))]
async fn change(id: u64) {
    let _ = id;
}

#[invalidates("user:<id>")]
#[invalidates(UserKey { id })]
#[invalidates("settings:<name>:<return>")]
async fn stacked(id: u64, name: String) -> Result<u64, String> {
    drop(name);
    Ok(id)
}

#[invalidates("dashboard:<user>-<return.id>:<return.date>", "user:<return.id>")]
async fn make(user: String) -> Result<Option<Made>, String> {
    if user.is_empty() {
        return Err(user);
    }
    Ok(Some(Made { id: 1, date: user }))
}

#[invalidates("pair:<return.0>:<return.1:hash>")]
async fn pair() -> Option<(u64, &'static str)> {
    Some((1, "x"))
}

#[invalidates("borrowed:<return>", "name:<name>")]
async fn borrowed<'a>(name: &'a str) -> Result<&'a str, String> {
    Ok(name)
}

#[invalidates("elided:<return>")]
async fn elided(name: &str) -> &str {
    name
}

#[invalidates("user:<id>")]
async fn opaque(id: u64) -> impl Iterator<Item = u64> {
    0..id
}

#[invalidates(key)]
async fn argument(key: UserKey) {
    let _ = key.id;
}

#[tokio::main]
async fn main() {
    change(1).await;
    assert_eq!(stacked(1, "x".into()).await, Ok(1));
    assert_eq!(make("x".into()).await.ok().flatten().map(|made| made.id), Some(1));
    assert!(make(String::new()).await.is_err());
    assert!(pair().await.is_some());
    assert_eq!(borrowed("x").await, Ok("x"));
    assert_eq!(elided("x").await, "x");
    assert_eq!(opaque(2).await.count(), 2);
    argument(UserKey { id: 1 }).await;
}
