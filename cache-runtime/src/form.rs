//! In which form a value is stored: as it is, or with the generations of its tags.

use serde::{Deserialize, Serialize};

use crate::cache::Inner;
use crate::codec::Codec;
use crate::envelope::SealError;
use crate::key::RenderedKey;
use crate::outcome::CacheValue;
use crate::staleness::Age;
use crate::store::{Kept, Payload};
use crate::tags::Seen;
use crate::token::Token;

/// Whose value it is.
#[derive(Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) key: &'a RenderedKey,
    pub(crate) version: u32,
}

/// A value as it was found, or its known absence, and its age, if that is told.
pub(crate) type Opened<T> = (Option<T>, Option<Age>);

/// Why a stored value is none for a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Useless {
    /// It is of another type, version or codec, or damaged.
    Unreadable,
    /// One of its tags was invalidated since.
    Outdated,
}

/// How values are stored.
pub(crate) trait Form {
    /// What the store keeps of a value.
    fn payload<T: CacheValue, C: Codec>(
        of: Of<'_>,
        value: Option<&T>,
        generations: &[Token],
        age: Option<Age>,
    ) -> Result<Payload, SealError>;

    /// What those are handed who wait for its load.
    fn shared<T: CacheValue>(value: Option<&T>, version: u32, generations: &[Token]) -> Payload;

    /// The value of either, for one who has seen these generations.
    fn open<T: CacheValue, C: Codec>(
        of: Of<'_>,
        payload: &Payload,
        seen: &Seen,
    ) -> Result<Opened<T>, Useless>;
}

/// Values stand as they are.
#[derive(Debug)]
pub struct Bare;

impl Form for Bare {
    fn payload<T: CacheValue, C: Codec>(
        of: Of<'_>,
        value: Option<&T>,
        _: &[Token],
        age: Option<Age>,
    ) -> Result<Payload, SealError> {
        of.inner.payload::<T, C>(of.key, value, (of.version, age))
    }

    fn shared<T: CacheValue>(value: Option<&T>, version: u32, _: &[Token]) -> Payload {
        Payload::Typed(Kept::new(b"", value.cloned(), version, 0))
    }

    fn open<T: CacheValue, C: Codec>(
        of: Of<'_>,
        payload: &Payload,
        _: &Seen,
    ) -> Result<Opened<T>, Useless> {
        let opened = of.inner.open::<T, C>(of.key, payload, of.version);
        opened.map_err(|_| Useless::Unreadable)
    }
}

/// Values stand with the generations of their tags.
#[derive(Debug)]
pub struct WithTags;

/// A value, or its absence, and the generations that its tags had before its load.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "T: CacheValue", deserialize = "T: CacheValue"))]
struct Tagged<T> {
    generations: Vec<(u64, u64)>,
    value: Option<T>,
}

impl<T: CacheValue> Tagged<T> {
    fn new(value: Option<&T>, generations: &[Token]) -> Self {
        Self {
            generations: generations.iter().map(|token| token.halves()).collect(),
            value: value.cloned(),
        }
    }
}

impl Form for WithTags {
    fn payload<T: CacheValue, C: Codec>(
        of: Of<'_>,
        value: Option<&T>,
        generations: &[Token],
        age: Option<Age>,
    ) -> Result<Payload, SealError> {
        let tagged = Tagged::new(value, generations);
        of.inner
            .payload::<_, C>(of.key, Some(&tagged), (of.version, age))
    }

    fn shared<T: CacheValue>(value: Option<&T>, version: u32, generations: &[Token]) -> Payload {
        let tagged = Tagged::new(value, generations);
        Payload::Typed(Kept::new(b"", Some(tagged), version, 0))
    }

    fn open<T: CacheValue, C: Codec>(
        of: Of<'_>,
        payload: &Payload,
        seen: &Seen,
    ) -> Result<Opened<T>, Useless> {
        let opened = of.inner.open::<Tagged<T>, C>(of.key, payload, of.version);
        let Ok((Some(tagged), age)) = opened else {
            return Err(Useless::Unreadable);
        };
        let seen = seen.iter().map(|seen| seen.map(Token::halves));
        if tagged.generations.iter().copied().map(Some).eq(seen) {
            Ok((tagged.value, age))
        } else {
            Err(Useless::Outdated)
        }
    }
}
