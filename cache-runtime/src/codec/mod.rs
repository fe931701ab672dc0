//! How a value becomes bytes, and is itself again when it is read.

mod fingerprint;
#[cfg(feature = "json")]
mod json;
mod message_pack;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "json")]
pub use json::Json;
pub use message_pack::MessagePack;

/// How deep values nest. Decoding recurses, and 128 levels fit into the stack of a thread, also in a debug build. (The
/// bound of `rmp_serde` is 1024, and does not count enums at all.)
pub(crate) const MAX_DEPTH: usize = 128;

/// What a [`Codec`] says about what it cannot do.
pub type CodecError = Box<dyn std::error::Error + Send + Sync>;

/// How values of one call site become bytes in Redis, and values again: `#[cached(codec = …)]`, [`Cache::with_codec`].
///
/// [`MessagePack`] unless another is named; with the feature `json` there is `Json`. The embedded store and the local tier keep
/// values as they are, and use no codec.
///
/// Nothing is stored changed. When a value is stored, it is encoded, decoded again, and the two are compared by all that their
/// `Serialize` tells: each number with its type and bits, `Some(None)` and `None`, the names of structs and variants; the entries of
/// maps, and the elements of sequences (which may be sets), in any order. If they differ, or if the value cannot be encoded or decoded,
/// it is returned to its caller, counted as [`unencodable`](crate::Stats::unencodable), and not stored. This holds for every codec,
/// and costs, at a fill, a decoding and two walks: about 2 µs for a row of 400 bytes, 0.2 ms for 40 KB.
///
/// What `Serialize` does not tell, nobody can compare, and no codec can carry: fields with `#[serde(skip)]`, whatever a
/// `serialize_with` leaves out, and which of two variants of an `untagged` enum it was that have the same fields. A type whose
/// `Serialize` does not tell the same twice is never stored.
///
/// ```
/// use cache_runtime::{Codec, CodecError, MessagePack, cached};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// /// `MessagePack`, with each bit the other way round.
/// struct Inverted;
///
/// impl Codec for Inverted {
///     const ID: u8 = 200;
///
///     fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
///         Ok(MessagePack::encode(value)?.into_iter().map(|byte| !byte).collect())
///     }
///
///     fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
///         MessagePack::decode(&bytes.iter().map(|byte| !byte).collect::<Vec<_>>())
///     }
/// }
///
/// #[cached(key = "user:<id>:name", ttl = "1h", codec = Inverted)]
/// async fn find_name(id: u64) -> Option<String> {
///     Some(format!("user {id}")) // SQL
/// }
/// ```
///
/// [`Cache::with_codec`]: crate::Cache::with_codec
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no codec",
    label = "this type does not implement `cache_runtime::Codec`",
    note = "`MessagePack` is used if no codec is named; `Json` is there with the feature `json`; for another format, implement `Codec`"
)]
pub trait Codec: 'static {
    /// Stands beside each value: for a reader with another codec it is unreadable, which is a miss, and never a wrong value.
    ///
    /// Each codec of the programs that share a store needs a number of its own, and a new one if its encoding changes. Those
    /// below 128 are for this crate.
    const ID: u8;

    /// The bytes of a value.
    ///
    /// # Errors
    ///
    /// When the value is one that this codec does not carry. It is then not stored.
    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError>;

    /// The value of bytes, which it must take up to the last.
    ///
    /// Bytes that somebody else wrote into the store can come here: whatever they are, this must not panic, overflow the
    /// stack, or take more memory than they are worth. How long they say that something is, is nothing to rely on.
    ///
    /// # Errors
    ///
    /// When they are none of a `T`. That is a miss.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError>;
}

/// Why a value cannot be stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EncodeError {
    #[error("the value cannot be encoded: {0}")]
    Encode(CodecError),
    #[error("the value cannot be decoded again: {0}")]
    Decode(CodecError),
    #[error("the value comes back changed: its codec does not carry it")]
    Changed,
    #[error("the value takes {0} bytes")]
    TooLong(usize),
}

/// The bytes of a value, no more than `max_len`, of which it is known that they are read as the same value.
pub(crate) fn encode<T: Serialize + DeserializeOwned, C: Codec>(
    value: &T,
    max_len: usize,
) -> Result<Vec<u8>, EncodeError> {
    // Before the codec sees it: what nests without end does not get further.
    let given = fingerprint::of(value).map_err(|error| EncodeError::Encode(error.into()))?;
    let bytes = C::encode(value).map_err(EncodeError::Encode)?;
    if bytes.len() > max_len {
        return Err(EncodeError::TooLong(bytes.len()));
    }
    let read: T = C::decode(&bytes).map_err(EncodeError::Decode)?;
    match fingerprint::of(&read) {
        Ok(found) if found == given => Ok(bytes),
        _ => Err(EncodeError::Changed),
    }
}

/// Whether two values serialise to the same, whatever the order of their maps and sequences; `None` where one does not serialise.
pub(crate) fn tell_the_same<T: Serialize>(one: &T, other: &T) -> Option<bool> {
    let (one, other) = (fingerprint::of(one).ok()?, fingerprint::of(other).ok()?);
    Some(one == other)
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};
    use std::fmt::Debug;

    use serde::Deserialize;

    use super::*;

    fn stored<C: Codec, T: Serialize + DeserializeOwned>(value: &T) -> bool {
        encode::<T, C>(value, usize::MAX).is_ok()
    }

    fn changed<C: Codec, T: Serialize + DeserializeOwned>(value: &T) -> bool {
        matches!(encode::<T, C>(value, usize::MAX), Err(EncodeError::Changed))
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Small(u8),
        Large(u64),
    }

    #[derive(Serialize, Deserialize)]
    struct LeftOut {
        #[serde(skip_serializing_if = "String::is_empty")]
        name: String,
    }

    #[derive(Serialize, Deserialize)]
    struct Trimmed(#[serde(deserialize_with = "trimmed")] String);

    fn trimmed<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
        Ok(String::deserialize(from)?.trim().to_owned())
    }

    #[test]
    fn what_comes_back_as_another_value_is_refused() {
        assert!(changed::<MessagePack, _>(&Some(None::<u8>)));
        assert!(changed::<MessagePack, _>(&Some(())));
        assert!(changed::<MessagePack, _>(&vec![(
            1,
            Some(Some(None::<u8>))
        )]));
        assert!(stored::<MessagePack, _>(&Some(Some(1))));
        assert!(stored::<MessagePack, _>(&None::<Option<u8>>));
        assert!(changed::<MessagePack, _>(&Untagged::Large(5)));
        assert!(stored::<MessagePack, _>(&Untagged::Large(500)));
        assert!(stored::<MessagePack, _>(&Untagged::Small(5)));
        assert!(changed::<MessagePack, _>(&Trimmed(" x".to_owned())));
        assert!(stored::<MessagePack, _>(&Trimmed("x".to_owned())));
    }

    #[test]
    fn what_does_not_come_back_is_refused() {
        let name = String::new();
        let left_out = encode::<_, MessagePack>(&LeftOut { name }, usize::MAX);
        assert!(matches!(left_out, Err(EncodeError::Decode(_))));
        let name = "Ada".to_owned();
        assert!(stored::<MessagePack, _>(&LeftOut { name }));
    }

    /// Each has an order of its own, which is another one in what was read.
    #[test]
    fn sets_and_maps_come_back_whatever_their_order() {
        let set: HashSet<u32> = (0..1000).collect();
        let map: HashMap<u32, HashSet<u32>> = (0..50).map(|n| (n, (n..2 * n).collect())).collect();
        assert!(stored::<MessagePack, _>(&set));
        assert!(stored::<MessagePack, _>(&map));
    }

    /// Loses the last element of everything.
    struct Loses;

    impl Codec for Loses {
        const ID: u8 = 201;

        fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
            MessagePack::encode(value)
        }

        fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
            let mut values: Vec<u8> = MessagePack::decode(bytes)?;
            values.pop();
            MessagePack::decode(&MessagePack::encode(&values)?)
        }
    }

    #[test]
    fn a_codec_that_loses_something_stores_nothing() {
        assert!(changed::<Loses, _>(&vec![1_u8, 2]));
        assert!(changed::<Loses, _>(&vec![0_u8]));
        assert!(stored::<Loses, _>(&Vec::<u8>::new()));
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum List {
        End,
        Cons(Box<List>),
    }

    fn list(len: usize) -> List {
        (0..len).fold(List::End, |list, _| List::Cons(Box::new(list)))
    }

    fn refuses_depth<C: Codec>()
    where
        List: Debug,
    {
        assert!(stored::<C, _>(&list(MAX_DEPTH - 1)));
        for len in [MAX_DEPTH + 1, 1_000, 5_000] {
            assert!(!stored::<C, _>(&list(len)), "{len}");
        }
    }

    #[test]
    fn what_nests_too_deep_is_refused() {
        refuses_depth::<MessagePack>();
        #[cfg(feature = "json")]
        refuses_depth::<Json>();
    }
}
