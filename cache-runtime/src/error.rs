//! What can go wrong, and how it is told.

use std::borrow::Cow;
use std::fmt;

use crate::key::RenderedKey;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why a direct operation on a [`Cache`](crate::Cache) failed.
///
/// Annotated functions never return this: with the store gone they are what they were without the annotation.
///
/// ```
/// # use cache_runtime::{Cache, CacheConfig, ErrorKind, Key};
/// # async fn example(cache: Cache) {
/// if let Err(error) = cache.invalidate(&Key::of("settings:global")).await {
///     // The invalidation is queued and will be delivered; this process reads past the cache until then.
///     eprintln!("{error}");
///     assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::BreakerOpen));
/// }
/// # }
/// ```
pub struct CacheError {
    kind: ErrorKind,
    template: Option<Cow<'static, str>>,
    source: Option<Source>,
}

/// The sort of a [`CacheError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The store did not answer within the store budget.
    Timeout,
    /// The store cannot be reached.
    Unavailable,
    /// The store answered with an error: out of memory, read-only, loading, …
    Rejected,
    /// The store answered something that is no answer.
    Garbled,
    /// The store has not answered several times in a row, and is not asked until it does.
    BreakerOpen,
    /// Redis was used outside a tokio runtime.
    NoRuntime,
    /// The value cannot be encoded, or would come back as another one.
    Unencodable,
    /// The value is larger than the bound.
    TooLarge,
    /// The cache is switched off.
    Off,
    /// No annotated function of this program has the key template that was named.
    UnknownTemplate,
}

impl ErrorKind {
    fn says(self) -> &'static str {
        match self {
            Self::Timeout => "the store did not answer within the store budget",
            Self::Unavailable => "the store cannot be reached",
            Self::Rejected => "the store refused",
            Self::Garbled => "the store answered something that is no answer",
            Self::BreakerOpen => {
                "the store has not answered lately, and is not asked until it does (the breaker is open)"
            }
            Self::NoRuntime => {
                "the Redis store needs a tokio runtime; call this from a task of one, or use the embedded store"
            }
            Self::Unencodable => "the value cannot be stored as it is",
            Self::TooLarge => "the value is larger than `CacheConfig::max_value_len` allows",
            Self::Off => "the cache is switched off",
            Self::UnknownTemplate => {
                "no annotated function of this program stores anything under that key template"
            }
        }
    }
}

impl CacheError {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self {
            kind,
            template: None,
            source: None,
        }
    }

    pub(crate) fn because(kind: ErrorKind, source: impl Into<Source>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(kind)
        }
    }

    pub(crate) fn at(mut self, template: Cow<'static, str>) -> Self {
        self.template = Some(template);
        self
    }

    /// The sort of error.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The key template of the operation, where there is one.
    #[must_use]
    pub fn template(&self) -> Option<&str> {
        self.template.as_deref()
    }
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(template) = &self.template {
            write!(f, "cache key `{template}`: ")?;
        }
        f.write_str(self.kind.says())?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheError({:?}: {self})", self.kind)
    }
}

impl std::error::Error for CacheError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

/// What a [shutdown](crate::Cache::shutdown) could not deliver in time.
#[derive(Clone)]
pub struct Undelivered {
    keys: Vec<String>,
    epoch: bool,
}

impl Undelivered {
    pub(crate) fn new(keys: &[RenderedKey], epoch: bool) -> Self {
        let text = |key: &RenderedKey| String::from_utf8_lossy(key.as_bytes()).into_owned();
        Self {
            keys: keys.iter().map(text).collect(),
            epoch,
        }
    }

    /// The keys whose invalidation the store has not taken, with namespace and epoch in front; at most 10 000.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    /// Whether the epoch was to be moved, because more keys were invalidated than are kept, or because the cache came back
    /// from [`Mode::Detached`](crate::Mode::Detached). Any key may then be stale.
    #[must_use]
    pub const fn epoch(&self) -> bool {
        self.epoch
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.len();
        match (self.epoch, keys) {
            (true, _) => f.write_str("the epoch of the cache's namespace was not moved")?,
            (false, 1) => f.write_str("1 cache invalidation was not delivered")?,
            (false, _) => write!(f, "{keys} cache invalidations were not delivered")?,
        }
        f.write_str("; other processes may serve the old values until their TTL ends")
    }
}

/// The message, and not the keys: they may hold what a log should not.
impl fmt::Debug for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Undelivered({self})")
    }
}

impl std::error::Error for Undelivered {}

/// Why a mutation with `on_error = "fail"` failed: its invalidation is not in force.
///
/// The error type of such a function is made of this, by `From`:
///
/// ```
/// use cache_runtime::{InvalidationError, invalidates};
///
/// #[derive(Debug)]
/// enum DbError {
///     /// Nothing was written.
///     CacheUnavailable,
///     /// It was written, and others may see the old value until the invalidation is delivered.
///     NotYetVisible,
/// }
///
/// impl<T> From<InvalidationError<T>> for DbError {
///     fn from(error: InvalidationError<T>) -> Self {
///         match error.into_value() {
///             None => Self::CacheUnavailable,
///             Some(_) => Self::NotYetVisible,
///         }
///     }
/// }
///
/// #[invalidates("account:<id>", fence, on_error = "fail")]
/// async fn withdraw(id: u64, cents: u64) -> Result<u64, DbError> {
///     Ok(cents) // SQL
/// }
/// ```
pub struct InvalidationError<T> {
    value: Option<T>,
    error: CacheError,
}

impl<T> InvalidationError<T> {
    pub(crate) fn before(error: CacheError) -> Self {
        Self { value: None, error }
    }

    pub(crate) fn after(value: T, error: CacheError) -> Self {
        Self {
            value: Some(value),
            error,
        }
    }

    /// What the body returned: `Some` if it ran and succeeded, so that the mutation has happened and its invalidation is
    /// queued; `None` if the fence could not be raised, so that the body did not run.
    #[must_use]
    pub fn into_value(self) -> Option<T> {
        self.value
    }

    /// Why the store did not take it.
    #[must_use]
    pub const fn error(&self) -> &CacheError {
        &self.error
    }
}

impl<T> fmt::Display for InvalidationError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.value {
            Some(_) => "the mutation happened, and its cache invalidation is queued: ",
            None => "the mutation did not begin, because its cache fence could not be raised: ",
        })?;
        fmt::Display::fmt(&self.error, f)
    }
}

impl<T> fmt::Debug for InvalidationError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidationError({self})")
    }
}

impl<T> std::error::Error for InvalidationError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
