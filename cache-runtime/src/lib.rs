//! Annotated caching for async Rust.

mod key;
mod outcome;
mod policy;
#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod site;
mod stats;
mod token;

pub use cache_macros::{CacheKey, KeyPart, cached, invalidates};
pub use key::{Admits, AnyValue, CacheKey, Key, KeyPart, KeyWriter, MAX_PART_LEN, Only, PartWriter};
pub use outcome::CacheValue;
pub use policy::Policy;
pub use site::{CallSite, Effect, call_sites};
pub use stats::Stats;
