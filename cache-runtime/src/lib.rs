//! Annotated caching for async Rust.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod cache;
mod codec;
mod config;
mod envelope;
mod error;
mod flight;
mod invalidation;
mod key;
mod lock;
mod outcome;
mod policy;
mod read_through;
mod recovery;
mod site;
pub mod slot;
mod stats;
mod store;
mod switch;
mod timer;
mod token;

pub use cache::{Cache, global, install};
pub use cache_macros::{CacheKey, KeyPart, cached, invalidates};
pub use config::{CacheConfig, ConfigError};
pub use error::{CacheError, ErrorKind};
pub use key::{
    Admits, AnyValue, CacheKey, Key, KeyPart, KeyWriter, MAX_PART_LEN, Only, PartWriter,
};
pub use outcome::CacheValue;
pub use policy::Policy;
pub use site::{CallSite, Effect, call_sites};
pub use stats::Stats;
pub use switch::Mode;
