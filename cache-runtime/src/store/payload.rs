//! A value on its way into or out of a store.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::table::Kept;

/// A value on its way into or out of a store.
#[derive(Clone)]
pub(crate) enum Payload {
    /// As it is.
    Typed(Arc<Kept>),
    /// In its envelope.
    Sealed(Bytes),
}

impl Payload {
    /// As a store in this process keeps it.
    pub(super) fn into_kept(self, key: &[u8]) -> Arc<Kept> {
        match self {
            Self::Typed(kept) => kept,
            Self::Sealed(bytes) => Kept::of(key, bytes, 0, 1),
        }
    }

    /// How many bytes are sent with it.
    #[cfg(feature = "redis")]
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Typed(_) => 0,
            Self::Sealed(bytes) => bytes.len(),
        }
    }

    /// Its bytes, where it was given as bytes.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Typed(kept) => kept.as_any().downcast_ref().cloned().unwrap_or_default(),
            Self::Sealed(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed(kept) => write!(f, "Typed(version {})", kept.version()),
            Self::Sealed(bytes) => write!(f, "Sealed({} bytes)", bytes.len()),
        }
    }
}
