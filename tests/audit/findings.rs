//! A program with one finding of each kind.

use cache_runtime::{CacheKey, FindingKind, Severity, audit, cached, invalidates};

#[invalidates("nothing:<id>")]
async fn unmatched(id: u64) {
    let _ = id;
}

#[cached(key = "overlap:<id>", ttl = "1h")]
async fn overlap_of_any(id: u64) -> u64 {
    id
}

#[cached(key = "overlap:me", ttl = "1h")]
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

#[cached(key = "types:<name>", ttl = "1h")]
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

#[cached(key = "ttls:<id>", ttl = "90s")]
async fn ttls_short(id: u64) -> u64 {
    id
}

#[invalidates("ttls:<id>")]
async fn change_ttls(id: u64) {
    let _ = id;
}

#[cached(key = "never:<id>", ttl = "1h")]
async fn never(id: u64) -> u64 {
    id
}

#[invalidates(tag = "tags:<id>", "never:<id>:deeper:*")]
async fn unmatched_tag_and_pattern(id: u64) {
    let _ = id;
}

#[test]
fn each_kind_is_found_once_the_worst_first() {
    let audit = audit();
    let found: Vec<_> = audit
        .findings()
        .iter()
        .map(|finding| (finding.severity(), finding.kind(), finding.sites().count()))
        .collect();
    assert_eq!(
        found,
        [
            (Severity::Error, FindingKind::UnmatchedInvalidation, 1),
            (Severity::Error, FindingKind::UnmatchedInvalidation, 1),
            (Severity::Error, FindingKind::UnmatchedInvalidation, 1),
            (Severity::Error, FindingKind::OverlappingTemplates, 2),
            (Severity::Error, FindingKind::DifferentValueTypes, 2),
            (Severity::Warning, FindingKind::DifferentTtls, 2),
            (Severity::Info, FindingKind::NeverInvalidated, 1),
        ],
        "{audit}"
    );
    assert!(!audit.is_clean());
}

#[test]
fn the_report_names_all_of_them() {
    let report = audit().to_string();
    for part in [
        "nothing is cached under `nothing:<id>`",
        "nothing is cached under `tag tags:<id>`",
        "nothing is cached under `never:<id>:deeper:*`",
        "`overlap:<id>` and `overlap:me` can make the same key",
        "`types:<id>` is cached as u64 and as alloc::string::String",
        "`ttls:<id>` is cached for 1h and for 1m 30s",
        "nothing invalidates `never:<id>`",
        "call sites: 12, errors: 5, warnings: 1, for information: 1",
    ] {
        assert!(report.contains(part), "{part:?} is not in:\n{report}");
    }
}

#[tokio::test]
async fn the_functions_run() {
    unmatched(1).await;
    unmatched_tag_and_pattern(1).await;
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
