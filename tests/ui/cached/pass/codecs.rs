//! A codec is any type in scope: of another crate, of one's own, generic, or a type parameter.

use cache_runtime::{Codec, CodecError, MessagePack, cached};
use serde::Serialize;
use serde::de::DeserializeOwned;

struct Marked<const MARK: u8>;

impl<const MARK: u8> Codec for Marked<MARK> {
    const ID: u8 = MARK;

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        MessagePack::encode(value)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        MessagePack::decode(bytes)
    }
}

#[cached(key = "a:<id>", ttl = 60, codec = MessagePack)]
async fn named(id: u64) -> u64 {
    id
}

#[cached(codec = self::Marked<200>, key = "b:<id>", ttl = 60)]
async fn generic(id: u64) -> Result<Option<u64>, ()> {
    Ok(Some(id))
}

trait Repository {
    type Codec: Codec;

    async fn find(&self, id: u64) -> Option<u64>;
}

struct Users;

impl Repository for Users {
    type Codec = Marked<201>;

    #[cached(key = "c:<id>", ttl = 60, codec = <Self as Repository>::Codec)]
    async fn find(&self, id: u64) -> Option<u64> {
        Some(id)
    }
}

#[cached(key = "d:<id>", ttl = 60, codec = C, skip(C))]
async fn parameter<C: Codec>(id: u64) -> u64 {
    id
}

macro_rules! by_a_macro {
    ($name:ident, $codec:ty) => {
        #[cached(key = "e:<id>", ttl = 60, codec = $crate::Marked<203>)]
        async fn $name(id: u64) -> u64 {
            id
        }

        mod given {
            use super::*;

            #[cached(key = "f:<id>", ttl = 60, codec = $codec)]
            pub(super) async fn $name(id: u64) -> u64 {
                id
            }
        }
    };
}
by_a_macro!(expanded, Marked<204>);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for _ in 0..2 {
        assert_eq!(named(1).await, 1);
        assert_eq!(generic(2).await, Ok(Some(2)));
        assert_eq!(Users.find(3).await, Some(3));
        assert_eq!(parameter::<Marked<202>>(4).await, 4);
        assert_eq!(expanded(5).await, 5);
        assert_eq!(given::expanded(6).await, 6);
    }
    assert_eq!(cache_runtime::global().stats().hits, 6);
}
