//! Codecs: what goes in comes out, or is refused and counted; nothing is stored changed.

mod redis;
mod values;

use cache_runtime::__private::{open, seal};
use cache_runtime::{Codec, ErrorKind, Json, MessagePack};
use proptest::prelude::*;

use crate::values::{Losses, Value, values};

const KEY: &[u8] = b"cache:0:value:7";

/// What is stored is the value; what the codec is known to lose is refused, and nothing else is.
fn goes_in_and_comes_out<C: Codec>(value: &Value, losses: Losses, compress_above: usize) {
    match seal::<_, C>(KEY, Some(value), 3, compress_above) {
        Ok(bytes) => {
            let read = open::<Value, C>(KEY, &bytes, 3).expect("what was stored can be read");
            assert_eq!(read.as_ref(), Some(value));
            assert!(!losses.concern(value), "it was known to be lost: {value:?}");
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unencodable);
            assert!(losses.concern(value), "{error}: {value:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn message_pack_carries_a_value_or_refuses_it(value in values(), compress_above in 0..300_usize) {
        goes_in_and_comes_out::<MessagePack>(&value, Losses::OF_MESSAGE_PACK, compress_above);
    }

    #[test]
    fn json_carries_a_value_or_refuses_it(value in values(), compress_above in 0..300_usize) {
        goes_in_and_comes_out::<Json>(&value, Losses::OF_JSON, compress_above);
    }
}
