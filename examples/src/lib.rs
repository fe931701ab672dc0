//! Small examples of `cache-runtime`: see the files beside `Cargo.toml`.
