use cache_runtime::{FindingKind, invalidates};

#[invalidates("report:<id>", allow = "unmatched_invalidation", fence)]
async fn change(id: u64) {
    let _ = id;
}

fn main() {
    let site = cache_runtime::call_sites().next().unwrap();
    assert!(site.allows(FindingKind::UnmatchedInvalidation));
    assert_eq!(site.templates(), ["report:<id>"]);
    let _ = change(1);
}
