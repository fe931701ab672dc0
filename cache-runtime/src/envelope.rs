//! The value as it stands in a store of bytes: a header that says whether this call site can read it, then the encoding.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 8 | check: XXH3-64 of all that follows, seeded with the XXH3-64 of the key; big-endian |
//! | 1 | format: 1 |
//! | 1 | codec |
//! | 1 | 0 if the value is known to be absent, 1 if a value follows, 2 if a compressed one follows; 16 more if its age is told |
//! | 4 | version of the call site, big-endian |
//! | 2 | length of the type's name, big-endian |
//! | 0 or 16 | its age: the time until which it is fresh, in milliseconds since 1970, 8; for how many it was, 4; in how many it was loaded, 4; big-endian |
//! | … | the type's name |
//! | … | the encoded value, in an LZ4 block with its length in front (`compression.rs`) if it is compressed |
//!
//! The check ties a value to its key: a reply that was damaged on its way, or that belongs to another request, is
//! unreadable and never a wrong value.
//!
//! In front of it, in Redis, stand the mark of the slot's state and the value's token (`store/redis/wire.rs`).

use std::any::type_name;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::codec::{self, Codec, EncodeError};
use crate::compression;
use crate::staleness::Age;
use crate::stats::Count;

const FORMAT: u8 = 1;
const CHECK_LEN: usize = 8;
const HEADER_LEN: usize = 9;

/// What follows the header.
const ABSENT: u8 = 0;
const PLAIN: u8 = 1;
const COMPRESSED: u8 = 2;

/// Added to these where the age of the value stands behind the header.
const AGED: u8 = 16;

/// How large an envelope may be, and of what length on its value is compressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Of an envelope whose value is not compressed, or not yet, or not any more.
    pub(crate) max_len: usize,
    pub(crate) compress_above: Option<usize>,
}

impl Bounds {
    /// An encoded value as it is stored.
    fn pack(self, encoded: Vec<u8>) -> (u8, Vec<u8>) {
        if self.compress_above.is_some_and(|len| encoded.len() > len)
            && let Some(compressed) = compression::compress(&encoded)
        {
            return (COMPRESSED, compressed);
        }
        (PLAIN, encoded)
    }
}

/// Why a value cannot be stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    Encode(EncodeError),
    #[error("the value takes {len} bytes, more than the bound of {max}")]
    TooLarge { len: usize, max: usize },
}

impl SealError {
    /// What it is counted as.
    pub(crate) fn count(&self) -> Count {
        match self {
            Self::TooLarge { .. } => Count::too_large,
            Self::Encode(_) => Count::unencodable,
        }
    }
}

/// Why a value in the store is none for this reader.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Wraps a value, or its known absence.
pub(crate) fn seal<T: Serialize + DeserializeOwned, C: Codec>(
    key: &[u8],
    value: Option<&T>,
    (version, age): (u32, Option<Age>),
    bounds: Bounds,
) -> Result<Bytes, SealError> {
    // A type's name longer than 64 KiB is cut; the reader cuts it likewise.
    let name = short_name::<T>();
    let age = age.map(Age::to_bytes);
    let age = age.as_ref().map_or(&[][..], |age| age);
    let around = CHECK_LEN + HEADER_LEN + age.len() + name.len();
    let (follows, body) = match value {
        Some(value) => {
            let max = bounds.max_len;
            let Some(room) = max.checked_sub(around) else {
                return Err(SealError::TooLarge { len: around, max });
            };
            let encoded = codec::encode::<T, C>(value, room);
            bounds.pack(encoded.map_err(|error| match error {
                EncodeError::TooLong(len) => SealError::TooLarge {
                    len: around + len,
                    max,
                },
                error => SealError::Encode(error),
            })?)
        }
        None => (ABSENT, Vec::new()),
    };
    let follows = if age.is_empty() {
        follows
    } else {
        follows | AGED
    };
    let mut bytes = Vec::with_capacity(around + body.len());
    bytes.extend_from_slice(&[0; CHECK_LEN]);
    bytes.extend_from_slice(&[FORMAT, C::ID, follows]);
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(age);
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(&body);
    let check = check(key, &bytes[CHECK_LEN..]);
    bytes[..CHECK_LEN].copy_from_slice(&check);
    Ok(bytes.into())
}

fn check(key: &[u8], sealed: &[u8]) -> [u8; CHECK_LEN] {
    xxh3_64_with_seed(sealed, xxh3_64(key)).to_be_bytes()
}

/// Unwraps a value. Whatever does not fit (check, format, codec, version, type, encoding) is unreadable, never a wrong value.
pub(crate) fn open<T: DeserializeOwned, C: Codec>(
    key: &[u8],
    bytes: &[u8],
    version: u32,
    bounds: Bounds,
) -> Result<(Option<T>, Option<Age>), Unreadable> {
    let name = short_name::<T>();
    let (stored_check, sealed) = bytes.split_first_chunk::<CHECK_LEN>().ok_or(Unreadable)?;
    if *stored_check != check(key, sealed) {
        return Err(Unreadable);
    }
    let Parts {
        format,
        codec,
        follows,
        version: stored_version,
        age,
        name: stored_name,
        body,
    } = Parts::of(sealed).ok_or(Unreadable)?;
    if format != FORMAT || codec != C::ID || stored_version != version || stored_name != name {
        return Err(Unreadable);
    }
    let decode = |encoded: &[u8]| C::decode(encoded).map(Some).map_err(|_| Unreadable);
    let value = match follows {
        ABSENT if body.is_empty() => None,
        PLAIN => decode(body)?,
        COMPRESSED => {
            let max = bounds.max_len.saturating_sub(bytes.len() - body.len());
            decode(&compression::decompress(body, max).ok_or(Unreadable)?)?
        }
        _ => return Err(Unreadable),
    };
    Ok((value, age))
}

/// What stands after the check.
struct Parts<'a> {
    format: u8,
    codec: u8,
    /// Without what is added for the age.
    follows: u8,
    version: u32,
    age: Option<Age>,
    name: &'a [u8],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Option<Self> {
        let (header, rest) = sealed.split_first_chunk::<HEADER_LEN>()?;
        let [format, codec, follows, v0, v1, v2, v3, n0, n1] = *header;
        let (age, rest) = if follows & AGED == 0 {
            (None, rest)
        } else {
            let (age, rest) = rest.split_first_chunk()?;
            (Some(Age::from_bytes(*age)), rest)
        };
        let (name, body) = rest.split_at_checked(usize::from(u16::from_be_bytes([n0, n1])))?;
        Some(Self {
            format,
            codec,
            follows: follows & !AGED,
            age,
            version: u32::from_be_bytes([v0, v1, v2, v3]),
            name,
            body,
        })
    }
}

/// What an envelope says of its value.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) codec: u8,
    pub(crate) version: u32,
    /// The name of its type.
    pub(crate) name: String,
    pub(crate) age: Option<Age>,
}

/// Reads what an envelope says; `None` if it is none of this key.
pub(crate) fn label(key: &[u8], bytes: &[u8]) -> Option<Label> {
    let parts = checked(key, bytes)?;
    Some(Label {
        codec: parts.codec,
        version: parts.version,
        name: String::from_utf8_lossy(parts.name).into_owned(),
        age: parts.age,
    })
}

fn checked<'a>(key: &[u8], bytes: &'a [u8]) -> Option<Parts<'a>> {
    let (stored_check, sealed) = bytes.split_first_chunk::<CHECK_LEN>()?;
    let parts = Parts::of(sealed)?;
    (*stored_check == check(key, sealed) && parts.format == FORMAT).then_some(parts)
}

/// What a codec has written, and which, whatever the type is; nothing of a value that is known to be absent.
#[cfg(feature = "dashboard")]
pub(crate) fn encoded(key: &[u8], bytes: &[u8], bounds: Bounds) -> Option<(u8, Option<Vec<u8>>)> {
    let parts = checked(key, bytes)?;
    let body = match parts.follows {
        ABSENT => None,
        PLAIN => Some(parts.body.to_vec()),
        COMPRESSED => Some(compression::decompress(parts.body, bounds.max_len)?),
        _ => return None,
    };
    Some((parts.codec, body))
}

/// The length of an envelope that opens, with its value as it was before it was compressed.
pub(crate) fn unpacked_len(bytes: &[u8]) -> usize {
    if let Some(parts) = bytes.get(CHECK_LEN..).and_then(Parts::of)
        && parts.follows == COMPRESSED
        && let Some(len) = compression::unpacked_len(parts.body)
    {
        return bytes.len() - parts.body.len() + len;
    }
    bytes.len()
}

fn short_name<T>() -> &'static [u8] {
    let name = type_name::<T>().as_bytes();
    &name[..name.len().min(usize::from(u16::MAX))]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::codec::{CodecError, MessagePack};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct User {
        id: u64,
        name: String,
        score: f64,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Other {
        id: u64,
        name: String,
        score: f64,
    }

    fn user() -> User {
        User {
            id: 7,
            name: "Ada".into(),
            score: 0.1 + 0.2,
        }
    }

    const KEY: &[u8] = b"cache:0:user:7";

    const BOUNDS: Bounds = Bounds {
        max_len: 1 << 20,
        compress_above: None,
    };

    fn sealed() -> Bytes {
        seal::<_, MessagePack>(KEY, Some(&user()), 3, BOUNDS).unwrap_or_default()
    }

    fn open<T: DeserializeOwned>(
        key: &[u8],
        bytes: &[u8],
        version: u32,
    ) -> Result<Option<T>, Unreadable> {
        open_by::<T, MessagePack>(key, bytes, version, BOUNDS)
    }

    fn open_by<T: DeserializeOwned, C: Codec>(
        key: &[u8],
        bytes: &[u8],
        version: u32,
        bounds: Bounds,
    ) -> Result<Option<T>, Unreadable> {
        super::open::<T, C>(key, bytes, version, bounds).map(|(value, _)| value)
    }

    fn seal<T: Serialize + DeserializeOwned, C: Codec>(
        key: &[u8],
        value: Option<&T>,
        version: u32,
        bounds: Bounds,
    ) -> Result<Bytes, SealError> {
        super::seal::<T, C>(key, value, (version, None), bounds)
    }

    #[test]
    fn what_was_sealed_opens() {
        assert_eq!(open(KEY, &sealed(), 3), Ok(Some(user())));
        let absent = seal::<User, MessagePack>(KEY, None, 3, BOUNDS).unwrap_or_default();
        assert_eq!(open::<User>(KEY, &absent, 3), Ok(None));
    }

    #[test]
    fn an_age_comes_out_as_it_went_in_and_is_told_of_what_is_absent_too() {
        let age = Some(Age {
            fresh_until: 1_700_000_000_000,
            fresh_for: 3_600_000,
            loaded_in: 12,
        });
        for value in [Some(user()), None] {
            let sealed = super::seal::<_, MessagePack>(KEY, value.as_ref(), (3, age), BOUNDS);
            let sealed = sealed.unwrap_or_default();
            let opened = super::open::<User, MessagePack>(KEY, &sealed, 3, BOUNDS);
            assert_eq!(opened, Ok((value, age)));
            assert_eq!(unpacked_len(&sealed), sealed.len());
        }
    }

    #[test]
    fn another_version_type_or_codec_is_unreadable() {
        assert_eq!(open::<User>(KEY, &sealed(), 4), Err(Unreadable));
        assert_eq!(open::<Other>(KEY, &sealed(), 3), Err(Unreadable));
        let other = open_by::<User, Other>(KEY, &sealed(), 3, BOUNDS);
        assert_eq!(other, Err(Unreadable));
        let absent = seal::<User, MessagePack>(KEY, None, 3, BOUNDS).unwrap_or_default();
        let other = open_by::<User, Other>(KEY, &absent, 3, BOUNDS);
        assert_eq!(other, Err(Unreadable));
    }

    /// The same bytes under another number.
    impl Codec for Other {
        const ID: u8 = 200;
        fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
            MessagePack::encode(value)
        }
        fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
            MessagePack::decode(bytes)
        }
    }

    /// Decodes nothing.
    struct WriteOnly;

    impl Codec for WriteOnly {
        const ID: u8 = 203;

        fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
            MessagePack::encode(value)
        }

        fn decode<T: DeserializeOwned>(_: &[u8]) -> Result<T, CodecError> {
            Err("it was decoded".into())
        }
    }

    /// It could take as much time and memory as it likes.
    #[test]
    fn a_value_over_the_bound_is_not_decoded() {
        let bounds = |max_len| Bounds { max_len, ..BOUNDS };
        let text = "a".repeat(500);
        let seal = |max_len| seal::<_, WriteOnly>(KEY, Some(&text), 3, bounds(max_len));
        assert!(matches!(seal(5), Err(SealError::TooLarge { .. })));
        assert!(matches!(seal(500), Err(SealError::TooLarge { .. })));
        assert!(matches!(seal(1000), Err(SealError::Encode(_))));
    }

    #[test]
    fn a_value_over_the_bound_is_not_sealed() {
        let bounds = Bounds {
            max_len: 16,
            ..BOUNDS
        };
        assert!(matches!(
            seal::<_, MessagePack>(KEY, Some(&user()), 0, bounds),
            Err(SealError::TooLarge { max: 16, .. })
        ));
    }

    #[cfg(feature = "lz4")]
    #[test]
    fn a_large_value_is_compressed_and_a_small_one_is_not() {
        let bounds = Bounds {
            compress_above: Some(1000),
            ..BOUNDS
        };
        let seal = |text: &String, bounds| {
            seal::<_, MessagePack>(KEY, Some(text), 3, bounds).unwrap_or_default()
        };
        let small = "Ada".repeat(300);
        assert_eq!(seal(&small, bounds), seal(&small, BOUNDS));

        let large = "Ada".repeat(3000);
        let (plain, compressed) = (seal(&large, BOUNDS), seal(&large, bounds));
        assert!(compressed.len() < 200, "{}", compressed.len());
        // Also by a reader that does not compress.
        assert_eq!(open(KEY, &compressed, 3), Ok(Some(large)));
        assert_eq!(unpacked_len(&compressed), plain.len());
        assert_eq!(unpacked_len(&plain), plain.len());
        for len in 0..compressed.len() {
            assert_eq!(unpacked_len(&compressed[..len]).min(1), len.min(1));
        }
    }

    /// However small it is where it stands.
    #[cfg(feature = "lz4")]
    #[test]
    fn what_is_over_the_bound_unpacked_is_neither_sealed_nor_opened() {
        let text = "Ada".repeat(1000);
        let plain = seal::<_, MessagePack>(KEY, Some(&text), 3, BOUNDS).unwrap_or_default();
        let within = |max_len| Bounds {
            max_len,
            compress_above: Some(0),
        };
        let (enough, less) = (within(plain.len()), within(plain.len() - 1));
        let sealed = seal::<_, MessagePack>(KEY, Some(&text), 3, enough).unwrap_or_default();
        let open = |bounds| open_by::<String, MessagePack>(KEY, &sealed, 3, bounds);
        assert_eq!(open(enough), Ok(Some(text.clone())));
        assert_eq!(open(less), Err(Unreadable));
        assert!(matches!(
            seal::<_, MessagePack>(KEY, Some(&text), 3, less),
            Err(SealError::TooLarge { .. })
        ));
    }

    #[test]
    fn every_truncation_is_unreadable() {
        let bytes = sealed();
        for len in 0..bytes.len() {
            assert_eq!(
                open::<User>(KEY, &bytes[..len], 3),
                Err(Unreadable),
                "{len} bytes"
            );
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(open::<User>(KEY, &longer, 3), Err(Unreadable));
    }

    #[test]
    fn every_damaged_bit_is_noticed() {
        for bit in 0..sealed().len() * 8 {
            let mut bytes = sealed().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open::<User>(KEY, &bytes, 3), Err(Unreadable), "bit {bit}");
        }
    }

    #[test]
    fn the_value_of_another_key_is_unreadable() {
        assert_eq!(
            open::<User>(b"cache:0:user:8", &sealed(), 3),
            Err(Unreadable)
        );
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = open::<User>(KEY, &bytes, 0);
            let mut framed = sealed().to_vec();
            framed.truncate(CHECK_LEN + HEADER_LEN + short_name::<User>().len());
            framed.extend_from_slice(&bytes);
            for follows in 0..=3 {
                framed[CHECK_LEN + 2] = follows;
                let honest = check(KEY, &framed[CHECK_LEN..]);
                framed[..CHECK_LEN].copy_from_slice(&honest);
                let _ = open::<User>(KEY, &framed, 3);
            }
        }
    }
}
