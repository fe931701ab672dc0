//! A program with one mistake: a key is misspelt where it is invalidated.

use cache_runtime::{CallSite, FindingKind, Severity, audit, cached, invalidates};

#[cached(key = "user:<id>", ttl = "1h")]
async fn find_user(id: u64) -> u64 {
    id
}

#[invalidates("user:<id>")]
async fn delete_user(id: u64) {
    let _ = id;
}

#[invalidates("usr:<user_id>")]
async fn rename_user(user_id: u64) {
    let _ = user_id;
}

#[test]
fn the_report_says_what_was_meant_and_where() {
    let audit = audit();
    let [finding] = audit.findings() else {
        panic!("one finding, not these: {audit}");
    };
    assert_eq!(finding.kind(), FindingKind::UnmatchedInvalidation);
    assert_eq!(finding.severity(), Severity::Error);
    let functions: Vec<_> = finding.sites().map(CallSite::function).collect();
    assert_eq!(
        functions,
        ["audit_misspelt::rename_user", "audit_misspelt::find_user"]
    );
    let text = finding.to_string();
    for part in [
        "error[unmatched_invalidation]: nothing is cached under `usr:<user_id>`",
        "audit_misspelt::rename_user invalidates `usr:<user_id>`, at ",
        "audit/misspelt.rs:15",
        "did you mean `user:<id>`?",
        "`cache_runtime::guide::audit`, section `unmatched_invalidation`",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
#[should_panic(expected = "did you mean `user:<id>`?")]
fn a_test_with_the_one_line_fails() {
    cache_runtime::audit().assert_clean();
}

#[tokio::test]
async fn and_the_mistake_is_one() {
    assert_eq!(find_user(1).await, 1);
    rename_user(1).await;
    let hits = || cache_runtime::global().stats().hits;
    let before = hits();
    find_user(1).await;
    assert_eq!(hits(), before + 1, "what was meant to be dropped is there");
    delete_user(1).await;
}
