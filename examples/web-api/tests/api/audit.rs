//! The one line that every service should have.

#[test]
fn the_keys_are_in_order() {
    let audit = cache_runtime::audit();
    audit.assert_clean();
    // Every kind of data is invalidated by something.
    assert!(audit.findings().is_empty(), "{audit}");
    assert_eq!(audit.map().uses().count(), 14, "{}", audit.map());
}
