//! What the macros accept, and what they say about what they refuse.
//!
//! `TRYBUILD=overwrite cargo test -p cache-tests --test ui` writes the `.stderr` files anew; read them then.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    for annotation in ["cached", "invalidates", "cache_key", "key_part"] {
        cases.pass(format!("ui/{annotation}/pass/*.rs"));
        cases.compile_fail(format!("ui/{annotation}/*.rs"));
    }
}
