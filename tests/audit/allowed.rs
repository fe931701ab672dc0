//! The program of `findings.rs`, in which each finding is meant.

use cache_runtime::{CacheKey, audit, cached, invalidates};

#[invalidates("nothing:<id>", allow = "unmatched_invalidation")]
async fn unmatched(id: u64) {
    let _ = id;
}

#[cached(key = "overlap:<id>", ttl = "1h")]
async fn overlap_of_any(id: u64) -> u64 {
    id
}

#[cached(key = "overlap:me", ttl = "1h", allow = "overlapping_templates")]
async fn overlap_of_one() -> u64 {
    0
}

/// Of both.
#[invalidates("overlap:<id>")]
async fn change_overlap(id: u64) {
    let _ = id;
}

#[derive(CacheKey)]
#[cache_key("types:<id>")]
struct TypesKey {
    id: u64,
}

#[cached(key = TypesKey { id }, ttl = "1h")]
async fn types_number(id: u64) -> u64 {
    id
}

#[cached(key = "types:<name>", ttl = "1h", allow = ["different_value_types"])]
async fn types_text(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[invalidates(TypesKey { id })]
async fn change_types(id: u64) {
    let _ = id;
}

#[cached(key = "ttls:<id>", ttl = "1h")]
async fn ttls_long(id: u64) -> u64 {
    id
}

#[cached(key = "ttls:<id>", ttl = "90s", allow = ["never_invalidated", "different_ttls"])]
async fn ttls_short(id: u64) -> u64 {
    id
}

#[invalidates("ttls:<id>")]
async fn change_ttls(id: u64) {
    let _ = id;
}

#[cached(key = "never:<id>", ttl = "1h", allow = "never_invalidated")]
async fn never(id: u64) -> u64 {
    id
}

#[test]
fn nothing_is_found() {
    let audit = audit();
    assert!(audit.findings().is_empty(), "{audit}");
    audit.assert_clean();
}

#[tokio::test]
async fn the_functions_run() {
    unmatched(1).await;
    change_overlap(1).await;
    change_types(1).await;
    change_ttls(1).await;
    assert_eq!((overlap_of_any(1).await, overlap_of_one().await), (1, 0));
    assert_eq!(
        (types_number(1).await, types_text("a").await.as_deref()),
        (1, Some("a"))
    );
    assert_eq!(
        (ttls_long(1).await, ttls_short(1).await, never(1).await),
        (1, 1, 1)
    );
}
