//! The value as it stands in a store of bytes: a header that says whether this call site can read it, then the encoding.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 8 | check: XXH3-64 of all that follows, seeded with the XXH3-64 of the key; big-endian |
//! | 1 | format: 1 |
//! | 1 | codec |
//! | 1 | 1 if a value follows, 0 if the value is known to be absent |
//! | 4 | version of the call site, big-endian |
//! | 2 | length of the type's name, big-endian |
//! | … | the type's name |
//! | … | the encoded value |
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

use crate::codec;

const FORMAT: u8 = 1;
const CHECK_LEN: usize = 8;
const HEADER_LEN: usize = 9;

/// Why a value cannot be stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("the value cannot be encoded: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    #[error("the value takes {len} bytes, more than the bound of {max}")]
    TooLarge { len: usize, max: usize },
}

/// Why a value in the store is none for this reader.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Wraps a value, or its known absence.
pub(crate) fn seal<T: Serialize>(
    key: &[u8],
    value: Option<&T>,
    version: u32,
    max_len: usize,
) -> Result<Bytes, SealError> {
    // A type's name longer than 64 KiB is cut; the reader cuts it likewise.
    let name = short_name::<T>();
    let mut bytes = Vec::with_capacity(CHECK_LEN + HEADER_LEN + name.len() + 256);
    bytes.extend_from_slice(&[0; CHECK_LEN]);
    bytes.extend_from_slice(&[FORMAT, codec::MESSAGE_PACK, u8::from(value.is_some())]);
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(name);
    if let Some(value) = value {
        codec::encode(value, &mut bytes)?;
    }
    if bytes.len() > max_len {
        return Err(SealError::TooLarge {
            len: bytes.len(),
            max: max_len,
        });
    }
    let check = check(key, &bytes[CHECK_LEN..]);
    bytes[..CHECK_LEN].copy_from_slice(&check);
    Ok(bytes.into())
}

fn check(key: &[u8], sealed: &[u8]) -> [u8; CHECK_LEN] {
    xxh3_64_with_seed(sealed, xxh3_64(key)).to_be_bytes()
}

/// Unwraps a value. Whatever does not fit (check, format, codec, version, type, encoding) is unreadable, never a wrong value.
pub(crate) fn open<T: DeserializeOwned>(
    key: &[u8],
    bytes: &[u8],
    version: u32,
) -> Result<Option<T>, Unreadable> {
    let name = short_name::<T>();
    let (stored_check, sealed) = bytes.split_first_chunk::<CHECK_LEN>().ok_or(Unreadable)?;
    if *stored_check != check(key, sealed) {
        return Err(Unreadable);
    }
    let (header, rest) = sealed.split_first_chunk::<HEADER_LEN>().ok_or(Unreadable)?;
    let [format, codec, present, v0, v1, v2, v3, n0, n1] = *header;
    let (stored_name, encoded) = rest
        .split_at_checked(usize::from(u16::from_be_bytes([n0, n1])))
        .ok_or(Unreadable)?;
    if format != FORMAT
        || codec != codec::MESSAGE_PACK
        || u32::from_be_bytes([v0, v1, v2, v3]) != version
        || stored_name != name
    {
        return Err(Unreadable);
    }
    match present {
        0 if encoded.is_empty() => Ok(None),
        1 => codec::decode(encoded).map(Some).ok_or(Unreadable),
        _ => Err(Unreadable),
    }
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

    fn sealed() -> Bytes {
        seal(KEY, Some(&user()), 3, 1 << 20).unwrap_or_default()
    }

    #[test]
    fn what_was_sealed_opens() {
        assert_eq!(open(KEY, &sealed(), 3), Ok(Some(user())));
        let absent = seal::<User>(KEY, None, 3, 1 << 20).unwrap_or_default();
        assert_eq!(open::<User>(KEY, &absent, 3), Ok(None));
    }

    #[test]
    fn another_version_or_type_is_unreadable() {
        assert_eq!(open::<User>(KEY, &sealed(), 4), Err(Unreadable));
        assert_eq!(open::<Other>(KEY, &sealed(), 3), Err(Unreadable));
    }

    #[test]
    fn a_value_over_the_bound_is_not_sealed() {
        assert!(matches!(
            seal(KEY, Some(&user()), 0, 16),
            Err(SealError::TooLarge { max: 16, .. })
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
            let honest = check(KEY, &framed[CHECK_LEN..]);
            framed[..CHECK_LEN].copy_from_slice(&honest);
            let _ = open::<User>(KEY, &framed, 3);
        }
    }
}
