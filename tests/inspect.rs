//! One key looked up: what its slot holds, and what a service may let somebody see of it.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use cache_runtime::dashboard::{Access, Action, Dashboard};
use cache_runtime::{Cache, CacheConfig, Key, Policy, SlotState, cached};
use cache_tests::RedisServer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct User {
    name: String,
    score: f64,
}

#[cached(key = "inspect:user:<id>", ttl = "1h", tags = ["inspect:tenant:<tenant>"], cache = cache, skip(cache, tenant))]
async fn tagged(cache: &Cache, id: u64, tenant: u64) -> User {
    let _ = tenant;
    User {
        name: format!("user {id}"),
        score: 0.1,
    }
}

#[cached(key = "inspect:list:<id>", ttl = "10m", version = 7, stale_while_revalidate = "1m", refresh = "inline", none_ttl = "1m", cache = cache, skip(cache))]
async fn list(cache: &Cache, id: u64) -> Option<Vec<u64>> {
    (id > 0).then(|| vec![id])
}

fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

async fn act(cache: &Cache, action: &Value) -> (StatusCode, Value) {
    let dashboard = Dashboard::new(cache.clone()).authorize(|_, action| match action {
        // A service that shows some values, and not others.
        Action::Reveal { key } if !key.starts_with("inspect:") => Access::Forbidden,
        _ => Access::Allowed {
            by: "a test".to_owned(),
        },
    });
    let request = Request::post("/api/actions")
        .header("content-type", "application/json")
        .header("x-cache-dashboard", "1")
        .body(Body::from(action.to_string()));
    let answer = dashboard
        .into_router()
        .oneshot(request.expect("a request"))
        .await;
    let (parts, body) = answer.expect("routers do not fail").into_parts();
    let body = to_bytes(body, 1 << 20).await.expect("a short answer");
    (parts.status, serde_json::from_slice(&body).expect("JSON"))
}

#[tokio::test]
async fn a_value_says_what_it_is() {
    let server = RedisServer::start();
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    tagged(&cache, 1, 2).await;
    let found = cache
        .inspect(&key("inspect:user:1"))
        .await
        .expect("an answer");
    assert_eq!(found.slot, SlotState::Value);
    assert_eq!(found.template, Some("inspect:user:<id>"));
    assert_eq!(found.tags, ["inspect:tenant:<tenant>"]);
    let (age, left) = (found.age.expect("known"), found.ttl_left.expect("known"));
    assert_eq!((age + left).as_secs(), 3600);
    let label = found.label.expect("it is encoded");
    assert_eq!(label.value_type, "inspect::User", "without what tags add");
    assert_eq!((label.codec, label.version), (1, 0));

    list(&cache, 1).await;
    let found = cache
        .inspect(&key("inspect:list:1"))
        .await
        .expect("an answer");
    assert!(
        found.age < Some(Duration::from_secs(60)),
        "it says so itself"
    );
    assert_eq!(found.label.map(|label| label.version), Some(7));

    let nothing = cache
        .inspect(&key("inspect:user:9"))
        .await
        .expect("an answer");
    assert_eq!(
        (nothing.slot, nothing.age, nothing.bytes),
        (SlotState::Empty, None, None)
    );
    assert_eq!(nothing.template, Some("inspect:user:<id>"));
    assert_eq!(
        cache
            .inspect(&key("strange"))
            .await
            .expect("an answer")
            .template,
        None
    );
}

#[tokio::test]
async fn a_value_is_shown_to_whom_the_service_lets_see_it() {
    let server = RedisServer::start();
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    tagged(&cache, 1, 2).await;
    list(&cache, 0).await;
    let policy = Policy::new(Duration::from_secs(60));
    let long = cache
        .put(&key("inspect:long"), "x".repeat(100_000), policy)
        .await;
    assert!(long.expect("an answer"));
    let reveal = |key: &str| json!({ "action": "reveal", "key": key });
    let (status, told) = act(&cache, &reveal("inspect:user:1")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        told["done"],
        json!({ "value": "{\n  \"name\": \"user 1\",\n  \"score\": 0.1\n}" })
    );
    let (_, absent) = act(&cache, &reveal("inspect:list:0")).await;
    assert_eq!(
        absent["done"],
        json!({ "value": "null" }),
        "known to be absent"
    );
    // As a text: what a page reads as a number ends at 2^53.
    list(&cache, 1_234_567_890_123_456_789).await;
    let (_, long) = act(&cache, &reveal("inspect:list:1234567890123456789")).await;
    assert_eq!(
        long["done"],
        json!({ "value": "[\n  1234567890123456789\n]" })
    );
    for key in ["inspect:long", "inspect:user:9"] {
        let (status, told) = act(&cache, &reveal(key)).await;
        assert_eq!(status, StatusCode::OK);
        assert!(told["done"]["why"].is_string(), "{told}");
    }
    let (status, _) = act(&cache, &reveal("secret:1")).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let changes = cache.changes();
    assert!(
        changes
            .iter()
            .all(|change| change.by.as_deref() == Some("a test"))
    );
    assert_eq!(changes.len(), 5, "each look is on record: {changes:?}");
}
