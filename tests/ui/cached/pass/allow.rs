use cache_runtime::{CallSite, FindingKind, cached};

#[cached(key = "motto", ttl = "1h", allow = "never_invalidated")]
async fn motto() -> String {
    String::new()
}

#[cached(key = "user:<id>", ttl = 60, allow = ["different_ttls", "overlapping_templates",])]
async fn find(id: u64) -> u64 {
    id
}

fn site(function: &str) -> &'static CallSite {
    let mut sites = cache_runtime::call_sites();
    sites.find(|site| site.function().ends_with(function)).unwrap()
}

fn main() {
    assert!(site("motto").allows(FindingKind::NeverInvalidated));
    assert!(!site("motto").allows(FindingKind::DifferentTtls));
    assert!(site("find").allows(FindingKind::DifferentTtls));
    assert!(site("find").allows(FindingKind::OverlappingTemplates));
    let _ = (motto(), find(1));
}
