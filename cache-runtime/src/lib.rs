//! Annotated caching for async Rust: cache-aside against Redis or an embedded store, with keys that are checked at compile
//! time, no stale read after an invalidation, and no caller broken by the cache.
//!
//! ```
//! use cache_runtime::{cached, invalidates};
//! # #[derive(Clone, serde::Serialize, serde::Deserialize)] struct User { id: u64 }
//! # #[derive(Debug)] struct DbError;
//! # struct Repository;
//!
//! impl Repository {
//!     #[cached(key = "user:<id>", ttl = "1h")]
//!     async fn find_user(&self, id: u64) -> Result<Option<User>, DbError> {
//!         // SQL
//! #       Ok(Some(User { id }))
//!     }
//!
//!     #[invalidates("user:<id>")]
//!     async fn rename_user(&self, id: u64, name: &str) -> Result<(), DbError> {
//!         // SQL
//! #       let _ = name; Ok(())
//!     }
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), DbError> {
//! # let repository = Repository;
//! # for _ in 0..2 { repository.find_user(1).await?; }
//! # assert_eq!(cache_runtime::global().stats().hits, 1);
//! # repository.rename_user(1, "Grace").await
//! # }
//! ```
//!
//! - The attributes: [`#[cached]`](macro@cached), [`#[invalidates]`](macro@invalidates),
//!   [`#[write_through]`](macro@write_through), and the derives
//!   [`CacheKey`](derive@CacheKey) and [`KeyPart`](derive@KeyPart).
//! - Without macros: [`Cache`] and [`Key`].
//! - How values become bytes: [`Codec`].
//! - Set-up: [`CacheConfig`], [`install`], and the environment (see [`CacheConfig::from_env`]).
//! - The kill switch: [`Mode`]. Control of single calls: [`bypass`], [`refresh`], [`only_cached`].
//! - Transactions of the source: [`transaction`].
//! - For tests (feature `test_util`): a clock that moves when the test says so.
//! - What happened: [`Cache::snapshot`], [`Cache::changes`], [`Stats`], [`call_sites`]. What is wrong: [`Cache::doctor`].
//! - The keys of the whole program, checked in a test: [`audit()`].
//!
//! What each thing is called: a **key template** (`"user:<id>"`) renders to a **key**; the store holds a **slot** under it, which is
//! empty, a value, a lease or a fence; a **load** is one run of the function's own body, a **fill** the storing of what it
//! returned; a **call site** is one annotated function.
//!
//! The guides: [what is promised, and how to test it](guide::guarantees), [how keys are made](guide::keys), [the protocol](guide::protocol), [operations](guide::operations), [the audit](guide::audit).

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod audit;
mod background;
mod backoff;
#[cfg(feature = "redis")]
mod breaker;
mod budget;
mod cache;
mod census;
mod changes;
mod clock;
mod codec;
mod coded;
#[cfg_attr(not(feature = "lz4"), path = "no_compression.rs")]
mod compression;
mod config;
mod control;
#[cfg(feature = "dashboard")]
pub mod dashboard;
mod doctor;
mod entries;
mod envelope;
mod error;
mod fleet;
mod flight;
mod form;
mod inspect;
mod invalidation;
mod key;
mod latency;
mod lock;
#[cfg(feature = "metrics")]
pub mod metrics;
mod outcome;
mod per_site;
mod place;
mod policy;
mod race;
mod read_through;
mod recovery;
mod seldom;
mod site;
pub mod slot;
mod snapshot;
mod solo;
mod spans;
mod staleness;
mod stats;
mod store;
mod storing;
mod switch;
mod tags;
mod tally;
#[cfg(feature = "test_util")]
pub mod test_util;
mod timer;
mod token;
mod transaction;
mod verify;
mod warm;
mod write_through;

/// The guides.
pub mod guide {
    #[doc = include_str!("../docs/audit.md")]
    pub mod audit {}

    #[cfg(feature = "dashboard")]
    #[doc = include_str!("../docs/dashboard.md")]
    pub mod dashboard {}

    #[doc = include_str!("../docs/guarantees.md")]
    pub mod guarantees {}

    #[doc = include_str!("../docs/keys.md")]
    pub mod keys {}

    #[cfg(feature = "metrics")]
    #[doc = include_str!("../docs/metrics.md")]
    pub mod metrics {}

    #[doc = include_str!("../docs/operations.md")]
    pub mod operations {}

    #[doc = include_str!("../docs/protocol.md")]
    pub mod protocol {}
}

/// The README's examples, so that they cannot rot.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use audit::{Audit, Finding, FindingKind, KeyMap, KeyUse, Severity, audit};
pub use cache::{Cache, InstallError, global, install};
pub use cache_macros::{CacheKey, KeyPart, cached, invalidates, write_through};
pub use census::{Census, Population, TemplateCensus};
pub use changes::{Change, Changed};
#[cfg(feature = "json")]
pub use codec::Json;
pub use codec::{Codec, CodecError, MessagePack};
pub use coded::CodedCache;
pub use config::{CacheConfig, ConfigError};
pub use control::{bypass, only_cached, refresh};
pub use doctor::{Check, Diagnosis, Verdict};
pub use error::{CacheError, ErrorKind, InvalidationError, Undelivered};
pub use fleet::{Fleet, TemplateOff, Thrown};
pub use inspect::{Inspection, SlotState, ValueLabel};
pub use key::{
    Admits, AnyValue, CacheKey, Holds, Key, KeyPart, KeyWriter, MAX_PART_LEN, Only, ParseKeyError,
    PartWriter,
};
pub use latency::Latency;
pub use outcome::CacheValue;
pub use policy::Policy;
pub use site::{CallSite, Effect, call_sites};
pub use snapshot::{Breaker, Measured, SiteSnapshot, Snapshot};
pub use staleness::{RefreshAhead, Staleness};
pub use stats::Stats;
pub use switch::Mode;
pub use transaction::{transaction, try_transaction};
