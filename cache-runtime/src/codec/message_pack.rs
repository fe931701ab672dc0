//! `MessagePack`, by `rmp_serde`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError, MAX_DEPTH};

/// `MessagePack` with named fields: the codec of a call site that names none.
///
/// It is small and fast, survives added fields (with `#[serde(default)]`) and reordered ones, and carries floats bit by bit, 128-bit
/// integers, bytes, and maps with keys of any type. It does not carry `Some(None)`, `Some(())` or `Some(Value::Null)`, which it cannot
/// tell from `None`; 128-bit integers inside what serde reads by way of a buffer (`untagged`, internally tagged, `flatten`); or
/// what nests deeper than 128 levels. Such a value is not stored, see [`Codec`].
#[derive(Clone, Copy, Debug)]
pub struct MessagePack;

impl Codec for MessagePack {
    const ID: u8 = 1;

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        let mut bytes = Vec::with_capacity(256);
        value.serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map())?;
        // What no reader would accept is better not stored.
        if is_sound(&bytes) {
            return Ok(bytes);
        }
        Err(format!(
            "it nests deeper than {MAX_DEPTH} levels, or its `Serialize` announces a wrong length"
        )
        .into())
    }

    /// Takes memory in proportion to `bytes` and little stack, whatever they claim.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        if !is_sound(bytes) {
            return Err("it is no value of `MessagePack`".into());
        }
        // From a slice: text is copied once, into the value. One that leaves elements of an array or map unread is an error of the
        // decoder, so with the walk above nothing can be left.
        Ok(rmp_serde::from_slice(bytes)?)
    }
}

/// Whether `bytes` are one `MessagePack` value that nests no deeper than [`MAX_DEPTH`] and has all the elements it announces.
///
/// Asked before anything is decoded, because a decoder believes an announcement: serde makes room for up to 1 MiB for each
/// array that claims to be long, at every level, and one that nests without end overflows the stack, which ends the process.
fn is_sound(mut bytes: &[u8]) -> bool {
    // How many values must follow, and what that is at the end of each open array or map.
    let mut owed = 1_u64;
    let mut ends = [0_u64; MAX_DEPTH];
    let mut depth = 0;
    while owed > 0 {
        let Some(Head { skip, children }) = head(&mut bytes) else {
            return false;
        };
        let Some(rest) = usize::try_from(skip).ok().and_then(|n| bytes.get(n..)) else {
            return false;
        };
        bytes = rest;
        owed -= 1;
        if children > 0 {
            let Some(end) = ends.get_mut(depth) else {
                return false;
            };
            *end = owed;
            depth += 1;
            // Cannot overflow: each announcement takes a byte, and is of less than 2^34.
            owed += children;
        }
        while depth > 0 && ends[depth - 1] == owed {
            depth -= 1;
        }
    }
    bytes.is_empty()
}

/// The head of a value, without what follows it: bytes of its own, and values in it.
struct Head {
    skip: u64,
    children: u64,
}

/// Takes the head of a value off.
fn head(bytes: &mut &[u8]) -> Option<Head> {
    let skip = |skip| Head { skip, children: 0 };
    let children = |children| Head { skip: 0, children };
    let marker = number::<1>(bytes)?;
    Some(match marker {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0.. => skip(0),
        0x80..=0x8f => children(2 * (marker & 0x0f)),
        0x90..=0x9f => children(marker & 0x0f),
        0xa0..=0xbf => skip(marker & 0x1f),
        0xc4 | 0xd9 => skip(number::<1>(bytes)?),
        0xc5 | 0xda => skip(number::<2>(bytes)?),
        0xc6 | 0xdb => skip(number::<4>(bytes)?),
        0xc7 => skip(1 + number::<1>(bytes)?),
        0xc8 => skip(1 + number::<2>(bytes)?),
        0xc9 => skip(1 + number::<4>(bytes)?),
        0xcc | 0xd0 => skip(1),
        0xcd | 0xd1 | 0xd4 => skip(2),
        0xd5 => skip(3),
        0xca | 0xce | 0xd2 => skip(4),
        0xd6 => skip(5),
        0xcb | 0xcf | 0xd3 => skip(8),
        0xd7 => skip(9),
        0xd8 => skip(17),
        0xdc => children(number::<2>(bytes)?),
        0xdd => children(number::<4>(bytes)?),
        0xde => children(2 * number::<2>(bytes)?),
        0xdf => children(2 * number::<4>(bytes)?),
        // The only one that `MessagePack` never uses.
        0xc1 => return None,
    })
}

/// Takes a big-endian number of `N` bytes off.
fn number<const N: usize>(bytes: &mut &[u8]) -> Option<u64> {
    let (number, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(
        number
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum List {
        End,
        Cons(Box<List>),
    }

    fn list(len: usize) -> List {
        (0..len).fold(List::End, |list, _| List::Cons(Box::new(list)))
    }

    #[test]
    fn what_nests_too_deep_is_neither_written_nor_read() {
        let bytes = MessagePack::encode(&list(MAX_DEPTH)).unwrap_or_default();
        assert_eq!(MessagePack::decode(&bytes).ok(), Some(list(MAX_DEPTH)));
        assert!(MessagePack::encode(&list(MAX_DEPTH + 1)).is_err());
        let deeper = [b"\x81\xa4Cons", &*bytes].concat();
        assert!(MessagePack::decode::<List>(&deeper).is_err());
    }

    #[test]
    fn a_value_that_is_more_than_was_asked_for_is_not_read() {
        let value = (1_u8, 2_u8, vec![(3_u8, 4_u8, 5_u8)]);
        let bytes = MessagePack::encode(&value).unwrap_or_default();
        assert!(MessagePack::decode::<(u8, u8)>(&bytes).is_err());
        assert!(MessagePack::decode::<(u8, u8, [(u8, u8); 1])>(&bytes).is_err());
        assert!(MessagePack::decode::<(u8, u8, [(u8, u8, u8); 1])>(&bytes).is_ok());
    }

    #[test]
    fn a_wrong_announcement_is_not_written() {
        struct Liar;
        impl Serialize for Liar {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeSeq as _;
                let mut sequence = serializer.serialize_seq(Some(3))?;
                sequence.serialize_element(&1)?;
                sequence.end()
            }
        }
        assert!(MessagePack::encode(&Liar).is_err());
    }

    #[test]
    fn every_kind_of_value_is_sound() {
        let numbers = (u64::MAX, i64::MIN, 1_u32 << 20, -40_i8, 1.5_f32, 1.5_f64);
        let texts = ["a".repeat(40), "b".repeat(300), "c".repeat(70_000)];
        let long = (vec![1_u8; 20], vec![2_u8; 70_000]);
        let binary = [40, 300, 70_000].map(|len| bytes::Bytes::from(vec![3; len]));
        let binary: Vec<_> = binary.iter().map(|b| Binary(b)).collect();
        let maps: Vec<std::collections::HashMap<u32, bool>> = [0, 5, 20, 70_000]
            .map(|len| (0..len).map(|n| (n, n > 7)).collect())
            .into();
        let value = (None::<u8>, numbers, texts, long, binary, maps, i128::MIN);
        assert!(MessagePack::encode(&value).is_ok());
    }

    struct Binary<'a>(&'a [u8]);

    impl Serialize for Binary<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    proptest! {
        /// Against the decoder of `rmp_serde`, which reads any value as `IgnoredAny` without believing what it claims.
        #[test]
        fn what_the_decoder_reads_is_sound(bytes in prop::collection::vec(any::<u8>(), 0..24)) {
            let mut rest = &*bytes;
            let read = serde::de::IgnoredAny::deserialize(&mut rmp_serde::Deserializer::new(&mut rest));
            prop_assert_eq!(is_sound(&bytes), read.is_ok() && rest.is_empty());
        }
    }
}
