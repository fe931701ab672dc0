use cache_runtime::{AnyValue, CacheKey, Key, KeyWriter, cached};

#[derive(CacheKey)]
#[cache_key("user:<id>", value = String)]
struct UserKey {
    id: u64,
}

struct ByHand(u64);

impl CacheKey for ByHand {
    type Admits = AnyValue;

    fn template(&self) -> std::borrow::Cow<'static, str> {
        "hand:<id>".into()
    }

    fn write_key(&self, key: &mut KeyWriter) {
        key.literal("hand:");
        key.part(&self.0);
    }
}

fn make(id: u64) -> ByHand {
    ByHand(id)
}

#[cached(key = UserKey { id }, ttl = 60)]
async fn find(id: u64) -> Result<Option<String>, String> {
    Ok(Some(id.to_string()))
}

#[cached(key = make(id), ttl = 60)]
async fn called(id: u64) -> u64 {
    id
}

#[cached(key = *key, ttl = 60)]
async fn argument(key: &&UserKey) -> String {
    key.id.to_string()
}

#[cached(key = &key, ttl = 60)]
async fn borrowed(key: UserKey) -> String {
    key.id.to_string()
}

#[cached(key = Key::of("built").part(&id), ttl = 60)]
async fn built(id: u64) -> u64 {
    id
}

#[cached(key = { let twice = id * 2; ByHand(twice) }, ttl = 60)]
async fn block(id: u64) -> u64 {
    id
}

#[tokio::main]
async fn main() {
    assert_eq!(find(1).await, Ok(Some("1".into())));
    assert_eq!(called(1).await, 1);
    assert_eq!(argument(&&UserKey { id: 3 }).await, "3");
    assert_eq!(borrowed(UserKey { id: 2 }).await, "2");
    assert_eq!(built(1).await, 1);
    assert_eq!(block(1).await, 1);
}
