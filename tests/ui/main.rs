//! What the macros accept, and what they say about what they refuse.
//!
//! `TRYBUILD=overwrite cargo test -p cache-ui-tests` writes the `.stderr` files anew; read them then.
//! One case: `cargo test -p cache-ui-tests -- refused trybuild=coverage.rs`.

// Two tests, because trybuild compiles all cases at once only if none of them is to run.

#[test]
fn accepted() {
    let cases = trybuild::TestCases::new();
    cases.pass("*/pass/*.rs");
}

#[test]
fn refused() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("*/*.rs");
}
