//! The dashboard over HTTP: who may do what, and what it does.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use cache_runtime::dashboard::{self, Access, Action, Dashboard};
use cache_runtime::{Cache, CacheConfig, Changed, Key, Mode, Policy, cached};
use serde_json::{Value, json};
use tower::ServiceExt;

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

/// Each that there is, but for `view`.
fn actions() -> Vec<Value> {
    vec![
        json!({ "action": "inspect", "key": "user:7" }),
        json!({ "action": "reveal", "key": "user:7" }),
        json!({ "action": "census" }),
        json!({ "action": "switch", "on": false }),
        json!({ "action": "switch_fleet", "on": false }),
        json!({ "action": "switch_template", "template": "user:<id>", "on": false }),
        json!({ "action": "invalidate_key", "key": "user:7" }),
        json!({ "action": "invalidate_tag", "tag": "tenant:1" }),
        json!({ "action": "invalidate_under", "prefix": "user" }),
        json!({ "action": "advance_epoch" }),
    ]
}

#[cached(key = "dashboard-test:<id>", ttl = "1h")]
async fn of_a_template(id: u64) -> u64 {
    id
}

fn user() -> Key {
    Key::of("user").part(&7_u64)
}

/// A cache in which something stands under [`user`].
async fn cache() -> Cache {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    let stored = cache.put(&user(), 7_u64, HOUR).await;
    assert!(stored.expect("an answer"));
    cache
}

async fn is_cached(cache: &Cache) -> bool {
    let found = cache.get::<u64>(&user(), HOUR).await;
    found.expect("an answer").is_some()
}

/// A dashboard that lets everyone do everything.
fn open(cache: &Cache) -> Router {
    let all = |_: &_, _: &_| Access::Allowed {
        by: "a test".to_owned(),
    };
    nested(Dashboard::new(cache.clone()).authorize(all).into_router())
}

fn nested(dashboard: Router) -> Router {
    Router::new().nest("/cache", dashboard)
}

async fn answer(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let answer = router.clone().oneshot(request).await;
    let answer = answer.expect("routers do not fail");
    let (parts, body) = answer.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.expect("a short answer");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (parts.status, parts.headers, text)
}

async fn get(router: &Router, path: &str) -> (StatusCode, Value) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let (status, _, text) = answer(router, request).await;
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

/// What the page sends.
fn request(action: &Value) -> axum::http::request::Builder {
    let _ = action;
    Request::builder()
        .method(Method::POST)
        .uri("/cache/api/actions")
        .header("host", "service.test")
        .header("origin", "http://service.test")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/json")
        .header("x-cache-dashboard", "1")
}

async fn act(router: &Router, action: &Value) -> (StatusCode, Value) {
    let request = request(action).body(Body::from(action.to_string()));
    let (status, _, text) = answer(router, request.expect("a request")).await;
    (status, serde_json::from_str(&text).unwrap_or_default())
}

async fn refused(router: &Router) -> u64 {
    let (status, told) = get(router, "/cache/api/snapshot").await;
    assert_eq!(status, StatusCode::OK);
    told["refused"].as_u64().expect("a number")
}

/// 401 or 403, nothing changed, and counted.
#[tokio::test]
async fn every_control_is_refused_without_authorization() {
    let cache = cache().await;
    let nobody = |_: &_, action: &Action| match action {
        Action::View => Access::Allowed { by: String::new() },
        _ => Access::Unauthenticated,
    };
    let unknown = nested(
        Dashboard::new(cache.clone())
            .authorize(nobody)
            .into_router(),
    );
    let default = nested(dashboard::router(cache.clone()));
    let epoch = cache.snapshot();
    for (router, expected) in [
        (default, StatusCode::FORBIDDEN),
        (unknown, StatusCode::UNAUTHORIZED),
    ] {
        for (before, action) in actions().iter().enumerate() {
            assert_eq!(refused(&router).await, before as u64);
            let (status, told) = act(&router, action).await;
            assert_eq!(status, expected, "{action}");
            assert!(
                told["error"].is_string() && told["done"].is_null(),
                "{told}"
            );
        }
        assert_eq!(refused(&router).await, actions().len() as u64);
    }
    assert_eq!(cache.mode(), Mode::On);
    assert_eq!(cache.changes(), []);
    assert_eq!(
        cache.snapshot().total.stats.invalidations,
        epoch.total.stats.invalidations
    );
    assert!(is_cached(&cache).await);
}

/// Such as one that another site lets the browser of an operator send.
#[tokio::test]
async fn what_another_site_can_send_is_refused() {
    let cache = cache().await;
    let router = open(&cache);
    let action = json!({ "action": "switch", "on": false });
    let cases = [
        ("sec-fetch-site", Some("cross-site"), StatusCode::FORBIDDEN),
        ("sec-fetch-site", Some("same-site"), StatusCode::FORBIDDEN),
        ("origin", Some("http://evil.test"), StatusCode::FORBIDDEN),
        ("origin", Some("null"), StatusCode::FORBIDDEN),
        ("x-cache-dashboard", None, StatusCode::FORBIDDEN),
        (
            "content-type",
            Some("text/plain"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("content-type", None, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ];
    for (before, (name, value, expected)) in cases.into_iter().enumerate() {
        let mut request = request(&action).body(Body::from(action.to_string()));
        let headers = request.as_mut().expect("a request").headers_mut();
        headers.remove(name);
        if let Some(value) = value {
            headers.insert(name, value.parse().expect("a header"));
        }
        let (status, _, _) = answer(&router, request.expect("a request")).await;
        assert_eq!(status, expected, "{name}: {value:?}");
        assert_eq!(refused(&router).await, before as u64 + 1);
    }
    assert_eq!(cache.mode(), Mode::On);
    // A program has no site, and no origin.
    let mut request = request(&action).body(Body::from(action.to_string()));
    let headers = request.as_mut().expect("a request").headers_mut();
    headers.remove("sec-fetch-site");
    headers.remove("origin");
    let (status, _, _) = answer(&router, request.expect("a request")).await;
    assert_eq!((status, cache.mode()), (StatusCode::OK, Mode::Off));
}

#[tokio::test]
async fn controls_do_what_they_say_and_are_recorded() {
    let cache = cache().await;
    let router = open(&cache);
    let (status, told) = act(&router, &actions()[0]).await;
    assert_eq!(
        (status, &told["done"]["slot"]),
        (StatusCode::OK, &json!("value"))
    );
    assert!(told["done"]["ttl_left_ms"].as_u64() > Some(3_000_000));
    for action in [
        json!({ "action": "invalidate_key", "key": "user:7" }),
        json!({ "action": "invalidate_under", "prefix": "user:*" }),
        json!({ "action": "advance_epoch" }),
    ] {
        assert!(cache.put(&user(), 7_u64, HOUR).await.expect("stored"));
        let (status, told) = act(&router, &action).await;
        assert_eq!((status, &told["done"]), (StatusCode::OK, &json!("done")));
        assert!(!is_cached(&cache).await, "{action}");
    }
    let (status, told) = act(&router, &actions()[0]).await;
    assert_eq!(
        (status, &told["done"]["slot"]),
        (StatusCode::OK, &json!("empty"))
    );
    let (status, _) = act(
        &router,
        &json!({ "action": "invalidate_tag", "tag": "tenant:1" }),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
    for (on, mode) in [(false, Mode::Off), (true, Mode::On)] {
        let (status, told) = act(&router, &json!({ "action": "switch", "on": on })).await;
        assert_eq!((status, cache.mode()), (StatusCode::OK, mode));
        assert_eq!(told["done"], json!(mode));
    }
    let changes = cache.changes();
    let switched = Changed::Switched { mode: Mode::On };
    assert_eq!(changes.last().map(|change| &change.what), Some(&switched));
    for (on, mode) in [(false, Mode::Off), (true, Mode::On)] {
        let (status, told) = act(&router, &json!({ "action": "switch_fleet", "on": on })).await;
        assert_eq!((status, cache.mode()), (StatusCode::OK, mode));
        assert_eq!(told["done"], json!(mode));
    }
    of_a_template(1).await;
    for on in [false, true] {
        let action =
            json!({ "action": "switch_template", "template": "dashboard-test:<id>", "on": on });
        let (status, _) = act(&router, &action).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(cache.fleet().templates_off.is_empty(), on);
    }
    let changes = cache.changes();
    let by: Vec<_> = changes
        .iter()
        .filter_map(|change| change.by.as_deref())
        .collect();
    assert_eq!(by, ["a test"; 10]);
    let (_, told) = get(&router, "/cache/api/changes").await;
    assert_eq!(
        told["changes"][1]["change"]["template"],
        json!("dashboard-test:<id>")
    );
    assert!(
        !told.to_string().contains("user:7"),
        "no key is shown: {told}"
    );
}

#[tokio::test]
async fn what_is_no_action_is_told_so() {
    let cache = cache().await;
    let router = open(&cache);
    for (action, told_of) in [
        (json!({ "action": "explode" }), "explode"),
        (json!({ "action": "switch" }), "on"),
        (
            json!({ "action": "switch_template", "template": "misspelt:<id>", "on": false }),
            "misspelt:<id>",
        ),
        (
            json!({ "action": "invalidate_key", "key": "user:*" }),
            "'*'",
        ),
        (json!({ "action": "invalidate_key", "key": "" }), "empty"),
        (
            json!({ "action": "invalidate_key", "key": "user::7" }),
            "segment",
        ),
        (
            json!({ "action": "inspect", "key": "x".repeat(2000) }),
            "1024",
        ),
        (json!(7), "action"),
    ] {
        let (status, told) = act(&router, &action).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{action}");
        let error = told["error"].as_str().unwrap_or_default();
        assert!(error.contains(told_of), "{error}");
    }
    let long = json!({ "action": "inspect", "key": "x".repeat(20_000) });
    let (status, _) = act(&router, &long).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    // Nor is it told to those who may not ask.
    let default = nested(dashboard::router(cache.clone()));
    let (status, _) = act(&default, &json!({ "action": "explode" })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn looking_can_be_restricted_as_well() {
    let cache = cache().await;
    let nobody = |_: &_, _: &_| Access::Unauthenticated;
    let router = nested(Dashboard::new(cache).authorize(nobody).into_router());
    for path in [
        "",
        "/api/snapshot",
        "/api/changes",
        "/api/audit",
        "/api/doctor",
        "/api/history",
        "/api/events",
    ] {
        let (status, _) = get(&router, &format!("/cache{path}")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn the_page_may_do_nothing_but_ask_its_own_service() {
    let router = nested(dashboard::router(cache().await));
    let page = || {
        Request::get("/cache")
            .body(Body::empty())
            .expect("a request")
    };
    let (status, headers, text) = answer(&router, page()).await;
    assert_eq!(status, StatusCode::OK);
    let policy = headers["content-security-policy"].to_str().expect("a text");
    for part in [
        "default-src 'none'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"));
    let nonce = policy
        .split("'nonce-")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    let nonce = nonce.expect("a nonce");
    assert_eq!(text.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
    let (_, again, _) = answer(&router, page()).await;
    assert_ne!(
        headers["content-security-policy"],
        again["content-security-policy"]
    );
}

#[tokio::test]
async fn whoever_looks_is_sent_frames() {
    let cache = cache().await;
    is_cached(&cache).await;
    let router = nested(dashboard::router(cache.clone()));
    let request = Request::get("/cache/api/events").body(Body::empty());
    let answer = router.clone().oneshot(request.expect("a request")).await;
    let answer = answer.expect("routers do not fail");
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body().into_data_stream();
    let frame = futures_util::StreamExt::next(&mut body).await;
    let frame = frame.expect("a frame").expect("it goes on");
    let text = String::from_utf8_lossy(&frame);
    let frame: Value = text
        .strip_prefix("data: ")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    assert_eq!(
        (&frame["calls"], &frame["mode"]),
        (&json!(1), &json!("on")),
        "{text}"
    );
    let (_, told) = get(&router, "/cache/api/history").await;
    assert_eq!(
        told["past"].as_array().map(Vec::len),
        Some(1),
        "what was sent is kept"
    );
    let (_, told) = get(&router, "/cache/api/doctor").await;
    assert!(
        told["checks"]
            .as_array()
            .is_some_and(|checks| checks.len() > 2)
    );
    let (_, told) = get(&router, "/cache/api/audit").await;
    assert!(told["findings"].is_array() && told["uses"].is_array());
}

/// The 65th is told why.
#[tokio::test]
async fn no_more_than_64_look_at_a_time() {
    let router = nested(dashboard::router(cache().await));
    let look = async || {
        let request = Request::get("/cache/api/events").body(Body::empty());
        let answer = router.clone().oneshot(request.expect("a request")).await;
        answer.expect("routers do not fail")
    };
    let mut viewers = Vec::new();
    for _ in 0..64 {
        let viewer = look().await;
        assert_eq!(viewer.status(), StatusCode::OK);
        viewers.push(viewer);
    }
    assert_eq!(look().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    viewers.pop();
    assert_eq!(look().await.status(), StatusCode::OK);
}
