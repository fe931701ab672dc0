//! The dashboard over HTTP: who may do what, and what it does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use cache_runtime::dashboard::{self, Access, Action, Dashboard};
use cache_runtime::{Cache, CacheConfig, Changed, Key, Mode, Policy, cached};
use cache_tests::{RedisServer, eventually};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
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
        json!({ "action": "invalidate_template", "template": "dashboard-test:<id>" }),
        json!({ "action": "advance_epoch" }),
    ]
}

#[cached(key = "dashboard-test:<id>", ttl = "1h")]
async fn of_a_template(id: u64) -> u64 {
    id
}

#[cached(key = "dashboard-settings", ttl = "1h")]
async fn of_one_key() -> u64 {
    1
}

#[cached(key = "<name>:dashboard-test", ttl = "1h")]
async fn begun_by_a_part(name: &str) -> String {
    name.to_owned()
}

#[cached(key = "dashboard-tagged:<id>", ttl = "1h", tags = ["dashboard-tenant:<tenant>"], cache = cache, skip(cache, tenant, loads))]
async fn tagged(cache: &Cache, id: u64, tenant: u64, loads: &AtomicU64) -> u64 {
    let _ = (id, tenant);
    loads.fetch_add(1, Ordering::SeqCst) + 1
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
    Router::new().nest_service("/cache", dashboard)
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

/// What the page sends, without the body.
fn request() -> axum::http::request::Builder {
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
    let request = request().body(Body::from(action.to_string()));
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
        ("x-cache-dashboard", None, StatusCode::FORBIDDEN),
        (
            "content-type",
            Some("text/plain"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        ("content-type", None, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ];
    for (before, (name, value, expected)) in cases.into_iter().enumerate() {
        let mut request = request().body(Body::from(action.to_string()));
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
    // Where the browser does not tell of the site: over plain HTTP.
    for origin in ["http://evil.test", "null", "http://service.test.evil.test"] {
        let mut request = request().body(Body::from(action.to_string()));
        let headers = request.as_mut().expect("a request").headers_mut();
        headers.remove("sec-fetch-site");
        headers.insert("origin", origin.parse().expect("a header"));
        let (status, _, text) = answer(&router, request.expect("a request")).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{origin}");
        assert!(text.contains("proxy_set_header Host"), "{text}");
    }
    assert_eq!(cache.mode(), Mode::On);
    // A program has no site, and no origin.
    let mut request = request().body(Body::from(action.to_string()));
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
    let loads = AtomicU64::new(0);
    for tag in ["dashboard-tenant:2", "dashboard-tenant:1"] {
        assert_eq!(
            tagged(&cache, 1, 1, &loads).await,
            1,
            "cached, whatever becomes of other tags"
        );
        let action = json!({ "action": "invalidate_tag", "tag": tag });
        let (status, told) = act(&router, &action).await;
        assert_eq!((status, &told["done"]), (StatusCode::OK, &json!("done")));
    }
    assert_eq!(
        tagged(&cache, 1, 1, &loads).await,
        2,
        "its tag was invalidated"
    );
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
    assert_eq!(by, ["a test"; 11]);
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
            json!({ "action": "invalidate_key", "key": "%t:tenant:1" }),
            "%25",
        ),
        (json!({ "action": "inspect", "key": "%t:tenant:1" }), "%t:"),
        (json!({ "action": "reveal", "key": "%t:tenant:1" }), "%t:"),
        (
            json!({ "action": "invalidate_under", "prefix": "%t" }),
            "%t",
        ),
        (
            json!({ "action": "invalidate_under", "prefix": ":*" }),
            "empty",
        ),
        (
            json!({ "action": "invalidate_template", "template": "misspelt:<id>" }),
            "no annotated function",
        ),
        (
            json!({ "action": "invalidate_template", "template": "<name>:dashboard-test" }),
            "begins with a placeholder",
        ),
        (json!({ "action": "unknown" }), "unknown variant"),
        (json!(7), "action"),
    ] {
        let (status, told) = act(&router, &action).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{action}");
        let error = told["error"].as_str().unwrap_or_default();
        assert!(error.contains(told_of), "{error}");
    }
    let long = json!({ "action": "inspect", "key": "x".repeat(20_000) });
    let (status, told) = act(&router, &long).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(told["error"].is_string());
    assert_eq!(refused(&router).await, 0);
    // Nor is it told to those who may not ask; and they are counted.
    let default = nested(dashboard::router(cache.clone()));
    for action in [json!({ "action": "explode" }), long] {
        let before = refused(&default).await;
        let (status, _) = act(&default, &action).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(refused(&default).await, before + 1);
    }
    // A hook is asked about what it is, and not about something else.
    let asked = std::sync::Mutex::new(Vec::new());
    let asked = std::sync::Arc::new(asked);
    let seen = asked.clone();
    let hook = move |_: &_, action: &Action| {
        seen.lock().expect("a lock").push(action.name());
        Access::Forbidden
    };
    let router = nested(Dashboard::new(cache).authorize(hook).into_router());
    act(&router, &json!({ "action": "explode" })).await;
    assert_eq!(*asked.lock().expect("a lock"), ["unknown"]);
}

#[tokio::test]
async fn looking_can_be_restricted_as_well() {
    let cache = cache().await;
    let nobody = |_: &_, _: &_| Access::Unauthenticated;
    let router = nested(Dashboard::new(cache).authorize(nobody).into_router());
    for path in [
        "",
        "/",
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
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let mut body = answer.into_body().into_data_stream();
    let mut next = async || {
        let event = body.next().await.expect("an event");
        String::from_utf8_lossy(&event.expect("it goes on")).into_owned()
    };
    let sites = next().await;
    assert!(
        sites.contains("event: sites") && sites.contains("retry: 200"),
        "{sites}"
    );
    let text = next().await;
    let frame: Value = text
        .strip_prefix("data: ")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    assert_eq!(
        (&frame["calls"], &frame["mode"]),
        (&json!(1), &json!("on")),
        "{text}"
    );
    assert!(frame["minute"]["calls"].is_u64(), "{text}");
    let process = &frame["process"];
    assert_eq!(process["pid"], json!(std::process::id()));
    for path in ["history", "snapshot"] {
        let (_, told) = get(&router, &format!("/cache/api/{path}")).await;
        assert_eq!(&told["process"], process);
    }
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

/// The stream of a cache that is not the global one ends when a function uses it for the first time: the next tells of that.
#[tokio::test]
async fn a_function_is_told_of_from_its_first_call_on() {
    let cache = cache().await;
    let router = nested(dashboard::router(cache.clone()));
    let look = async || {
        let request = Request::get("/cache/api/events").body(Body::empty());
        let answer = router.clone().oneshot(request.expect("a request")).await;
        answer
            .expect("routers do not fail")
            .into_body()
            .into_data_stream()
    };
    let mut stream = look().await;
    let mut events = 0;
    while let Some(event) = stream.next().await {
        let event = event.expect("it goes on");
        assert!(!String::from_utf8_lossy(&event).contains("dashboard-tagged"));
        events += 1;
        if events == 2 {
            tagged(&cache, 1, 1, &AtomicU64::new(0)).await;
        }
    }
    assert!(
        (2..8).contains(&events),
        "it ends before its time: {events}"
    );
    let mut stream = look().await;
    let sites = stream.next().await.expect("an event").expect("it goes on");
    let sites = String::from_utf8_lossy(&sites).into_owned();
    assert!(sites.contains("dashboard-tagged:<id>"), "{sites}");
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

/// What the 10 seconds of one stream are for: the page asks again, and is refused if it may not look any more; and a service that is
/// told to end does.
#[tokio::test]
async fn a_service_that_is_told_to_end_does_while_somebody_looks() {
    let router = nested(dashboard::router(cache().await));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = ended.await;
    });
    let serving = tokio::spawn(serving.into_future());
    let mut viewer = TcpStream::connect(address).await.expect("a connection");
    let request = "GET /cache/api/events HTTP/1.1\r\nhost: service.test\r\n\r\n";
    viewer.write_all(request.as_bytes()).await.expect("sent");
    let mut seen = String::new();
    while !seen.contains("\"calls\"") {
        let mut bytes = [0; 4096];
        let length = viewer.read(&mut bytes).await.expect("an answer");
        assert_ne!(length, 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    let told = Instant::now();
    end.send(()).expect("it serves");
    let served = tokio::time::timeout(Duration::from_secs(40), serving).await;
    served
        .expect("in time")
        .expect("no panic")
        .expect("no error");
    assert!(
        told.elapsed() < Duration::from_secs(30),
        "{:?}",
        told.elapsed()
    );
}

#[tokio::test]
async fn both_spellings_of_its_path_lead_to_the_page() {
    let router = nested(dashboard::router(cache().await));
    for path in ["/cache", "/cache/"] {
        let (status, page) = get(&router, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert!(page.to_string().contains("<title>"));
    }
}

/// Over HTTP/2 there is no header `host`; and a proxy may have put another host there.
#[tokio::test]
async fn the_page_is_believed_behind_a_proxy_and_over_http_2() {
    let cache = cache().await;
    let router = open(&cache);
    let action = json!({ "action": "inspect", "key": "user:7" });
    let send = async |uri: &str, host: Option<&str>, site: Option<&str>| {
        let mut request = request().uri(uri).body(Body::from(action.to_string()));
        let headers = request.as_mut().expect("a request").headers_mut();
        for (name, value) in [("host", host), ("sec-fetch-site", site)] {
            headers.remove(name);
            if let Some(value) = value {
                headers.insert(name, value.parse().expect("a header"));
            }
        }
        answer(&router, request.expect("a request")).await.0
    };
    let path = "/cache/api/actions";
    let http_2 = format!("http://service.test{path}");
    let elsewhere = format!("http://internal.test{path}");
    let (ok, refused) = (StatusCode::OK, StatusCode::FORBIDDEN);
    assert_eq!(send(&http_2, None, None).await, ok);
    assert_eq!(send(&elsewhere, None, None).await, refused);
    assert_eq!(send(path, None, None).await, refused, "no host at all");
    assert_eq!(send(path, Some("internal.test"), None).await, refused);
    assert_eq!(
        send(path, Some("internal.test"), Some("same-origin")).await,
        ok
    );
    assert_eq!(
        send(path, Some("internal.test"), Some("same-site")).await,
        refused
    );
    assert_eq!(
        send(path, Some("internal.test"), Some("none")).await,
        refused
    );
}

/// Detached, the store is not asked, so that nothing can be done to it; and the way back moves the epoch.
#[tokio::test]
async fn a_detached_process_says_that_nothing_was_done() {
    let cache = cache().await;
    let router = open(&cache);
    cache.set_mode(Mode::Detached).expect("switched");
    let changes = cache.changes();
    for action in actions() {
        let (status, told) = act(&router, &action).await;
        assert_eq!(status, StatusCode::CONFLICT, "{action}");
        let error = told["error"].as_str().unwrap_or_default();
        assert!(
            error.contains("detached") && error.contains("nothing was done"),
            "{error}"
        );
    }
    assert_eq!((cache.mode(), cache.changes()), (Mode::Detached, changes));
    let (status, told) = act(&router, &json!({ "action": "switch", "on": true })).await;
    assert_eq!((status, &told["done"]), (StatusCode::OK, &json!("on")));
    assert!(!is_cached(&cache).await, "the namespace begins empty");
}

/// Behind a balancer.
#[tokio::test]
async fn a_switch_is_for_the_process_that_is_shown() {
    let cache = cache().await;
    let router = open(&cache);
    let (_, told) = get(&router, "/cache/api/snapshot").await;
    let own = &told["process"]["id"];
    assert!(own.as_str().is_some_and(|id| id.len() == 16), "{told}");
    let switch = |process: &Value| json!({ "action": "switch", "on": false, "process": process });
    let (status, told) = act(&router, &switch(&json!("00000000000000ff"))).await;
    assert_eq!((status, cache.mode()), (StatusCode::CONFLICT, Mode::On));
    assert!(
        told["error"]
            .as_str()
            .is_some_and(|error| error.contains("another process")),
        "{told}"
    );
    let (status, _) = act(&router, &switch(own)).await;
    assert_eq!((status, cache.mode()), (StatusCode::OK, Mode::Off));
}

#[tokio::test]
async fn all_keys_of_a_template_can_be_dropped() {
    let cache = cache().await;
    let router = open(&cache);
    let key = |text: &str| Key::parse(text).expect("a key");
    let all = [
        "dashboard-test:1",
        "dashboard-test:2",
        "dashboard-test:",
        "dashboard-settings",
        "dashboard-settings:1",
    ];
    for text in all {
        assert!(cache.put(&key(text), 1_u64, HOUR).await.expect("stored"));
    }
    let left = async || {
        let mut left = Vec::new();
        for text in all {
            if cache
                .get::<u64>(&key(text), HOUR)
                .await
                .expect("an answer")
                .is_some()
            {
                left.push(text);
            }
        }
        left
    };
    for (template, expected) in [
        (
            "dashboard-test:<id>",
            &["dashboard-settings", "dashboard-settings:1"][..],
        ),
        ("dashboard-settings", &["dashboard-settings:1"]),
    ] {
        let action = json!({ "action": "invalidate_template", "template": template });
        let (status, told) = act(&router, &action).await;
        assert_eq!((status, &told["done"]), (StatusCode::OK, &json!("done")));
        assert_eq!(left().await, expected);
    }
    let changes = cache.changes();
    let told = changes.last().map(|change| change.what.to_string());
    assert_eq!(
        told.as_deref(),
        Some("all keys of `dashboard-settings` are invalidated")
    );
    // They are there for their templates.
    let _ = (of_one_key().await, begun_by_a_part("a").await);
}

/// What the store does not take is kept and delivered, on record, and said so.
#[tokio::test]
async fn an_invalidation_that_the_store_does_not_take_is_queued() {
    let mut server = RedisServer::start();
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    assert!(cache.put(&user(), 7_u64, HOUR).await.expect("stored"));
    let router = open(&cache);
    server.kill();
    for (before, action) in [
        json!({ "action": "invalidate_key", "key": "user:7" }),
        json!({ "action": "invalidate_tag", "tag": "tenant:1" }),
        json!({ "action": "invalidate_under", "prefix": "user" }),
        json!({ "action": "invalidate_template", "template": "dashboard-test:<id>" }),
        json!({ "action": "advance_epoch" }),
    ]
    .into_iter()
    .enumerate()
    {
        let (status, told) = act(&router, &action).await;
        assert_eq!(
            (status, &told["done"]),
            (StatusCode::ACCEPTED, &json!("queued")),
            "{action}: {told}"
        );
        assert!(
            told["why"]
                .as_str()
                .is_some_and(|why| why.contains("asks again")),
            "{told}"
        );
        assert_eq!(cache.undelivered(), before + 1);
        let controlled = cache
            .changes()
            .iter()
            .filter(|change| matches!(change.what, Changed::Controlled { .. }))
            .count();
        assert_eq!(controlled, before + 1, "it is on record all the same");
    }
    server.restart();
    eventually("they are delivered", async || cache.undelivered() == 0).await;
    let (status, _) = act(
        &router,
        &json!({ "action": "invalidate_key", "key": "user:7" }),
    )
    .await;
    assert_eq!(status, StatusCode::OK);
}

/// Whoever closes the window has asked for it all the same.
#[tokio::test]
async fn a_viewer_who_goes_away_cuts_nothing_off() {
    let server = RedisServer::start();
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    for id in 0..500_u64 {
        assert!(
            cache
                .put(&Key::of("many").part(&id), id, HOUR)
                .await
                .expect("stored")
        );
    }
    let router = open(&cache);
    let action = json!({ "action": "invalidate_under", "prefix": "many" });
    let request = request().body(Body::from(action.to_string()));
    let asking = router.oneshot(request.expect("a request"));
    let cut = tokio::time::timeout(Duration::ZERO, asking).await;
    assert!(cut.is_err(), "it was not cut off");
    eventually("all are gone", async || {
        let last = cache
            .get::<u64>(&Key::of("many").part(&499_u64), HOUR)
            .await;
        last.expect("an answer").is_none()
    })
    .await;
    let delivered = async || cache.stats().invalidations == 1;
    eventually("it was delivered at once", delivered).await;
    assert_eq!(
        cache.stats().invalidations_queued,
        0,
        "and not by the way of what is cut off"
    );
    assert_eq!(cache.changes().len(), 1);
}
