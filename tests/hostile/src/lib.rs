//! What must hold of any bytes in the store, of any key and of any key template, each written once.
//!
//! `stable.rs` runs them with proptest, as every other test. For more, there are fuzz targets for
//! [cargo-fuzz](https://rust-fuzz.github.io/book/cargo-fuzz.html) in `tests/fuzz`, one for each of these modules:
//!
//! ```sh
//! cargo install cargo-fuzz --locked    # and rustup toolchain install nightly
//! cd tests
//! cargo +nightly fuzz run envelope -- -max_total_time=300
//! cargo +nightly fuzz run key      -- -max_total_time=300
//! cargo +nightly fuzz run template -- -max_total_time=300
//! ```
//!
//! Each property panics where it does not hold.

pub mod envelope;
pub mod key;
mod memory;
pub mod template;

/// The parser of `cache-macros` itself: a crate that defines macros can export nothing else.
#[allow(
    dead_code,
    reason = "the parser alone is used here, and not what else the macros need"
)]
#[path = "../../../cache-macros/src/errors.rs"]
mod errors;
#[allow(dead_code, reason = "likewise")]
#[path = "../../../cache-macros/src/template.rs"]
mod parser;
