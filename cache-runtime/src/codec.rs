//! How a value becomes bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// `MessagePack` with named fields: it survives added and reordered fields and is lossless for floats.
pub(crate) const MESSAGE_PACK: u8 = 1;

/// Appends the encoding of `value` to `bytes`.
pub(crate) fn encode<T: Serialize>(
    value: &T,
    bytes: &mut Vec<u8>,
) -> Result<(), rmp_serde::encode::Error> {
    value.serialize(&mut rmp_serde::Serializer::new(bytes).with_struct_map())
}

/// Reads a value that must take up all of `bytes`.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut rest = bytes;
    let value = T::deserialize(&mut rmp_serde::Deserializer::new(&mut rest)).ok()?;
    rest.is_empty().then_some(value)
}
