//! What the macros accept, and what they say about what they refuse.
//!
//! `TRYBUILD=overwrite cargo test -p cache-tests --test ui` writes the `.stderr` files anew; read them then.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/*/pass_*.rs");
    for macro_name in ["cached", "invalidates", "cache_key", "key_part"] {
        cases.compile_fail(format!("ui/{macro_name}/fail_*.rs"));
    }
}
