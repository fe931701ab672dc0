//! JSON, by `serde_json`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError};

/// JSON, for values that others read as well: in `redis-cli`, or in another language. With the feature `json`.
///
/// It is larger and slower than [`MessagePack`](super::MessagePack), and carries less. A float comes back bit by bit, for which
/// `serde_json` is built with `float_roundtrip`; in a program that uses `serde_json` for other things too, that is then as exact, and
/// a little slower, as well. It does not carry NaN and the infinities, maps whose keys are neither text, numbers, `bool`s nor
/// field-less variants, `Some(None)` and the like, or what nests deeper than 127 levels. Such a value is not stored, see [`Codec`].
///
/// ```
/// use cache_runtime::{Json, cached};
///
/// #[cached(key = "price:<item>", ttl = "5m", codec = Json)]
/// async fn find_price(item: u64) -> Option<f64> {
///     # let _ = item;
///     Some(9.99) // SQL
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Json;

impl Codec for Json {
    const ID: u8 = 2;

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        Ok(serde_json::to_vec(value)?)
    }

    /// JSON announces no length, and `serde_json` nests no deeper than 128 levels.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn through<T: Serialize + DeserializeOwned>(value: &T) -> Option<T> {
        Json::decode(&Json::encode(value).ok()?).ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// Without `float_roundtrip`, some come back as their neighbours.
        #[test]
        fn every_finite_float_comes_back_bit_by_bit(double: u64, single: u32, plain in -1e9..1e9) {
            let (double, single) = (f64::from_bits(double), f32::from_bits(single));
            for float in [double, plain] {
                let expected = float.is_finite().then(|| float.to_bits());
                prop_assert_eq!(through(&float).map(f64::to_bits), expected);
            }
            let expected = single.is_finite().then(|| single.to_bits());
            prop_assert_eq!(through(&single).map(f32::to_bits), expected);
        }
    }
}
