//! Bytes under a key of ours that somebody else has written, or that were damaged on their way.

use std::any::type_name;
use std::collections::HashMap;
use std::fmt::Debug;

use bytes::Bytes;
use cache_runtime::__private::{Unreadable, open, read_slot, seal};
use cache_runtime::slot::Reply;
use cache_runtime::{Codec, CodecError, Json, MessagePack};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::memory::{BUFFERED, LZ4, PLAIN, bounded};

const KEY: &[u8] = b"cache:0:user:7";
const OTHER_KEY: &[u8] = b"cache:0:user:8";

/// The bytes of the check, in front of all others.
const CHECK: usize = 8;

/// Nothing is compressed.
const NEVER: usize = usize::MAX;

/// What must hold of `bytes` as what stands in the store, and of `bytes` as the encoding of a value in an envelope that is
/// right otherwise, by either codec, compressed or not.
pub fn check(version: u32, bytes: &[u8]) {
    slot(bytes);
    with_codec::<MessagePack>(version, bytes);
    with_codec::<Json>(version, bytes);
}

fn with_codec<C: Codec>(version: u32, bytes: &[u8]) {
    sealed::<C>(version);
    packed::<C>(version, bytes);
    of_type::<String, C>(PLAIN, version, bytes);
    of_type::<Vec<u8>, C>(PLAIN, version, bytes);
    of_type::<Vec<u64>, C>(PLAIN, version, bytes);
    of_type::<Vec<Vec<Vec<u16>>>, C>(PLAIN, version, bytes);
    of_type::<HashMap<String, u64>, C>(PLAIN, version, bytes);
    of_type::<serde_json::Value, C>(PLAIN, version, bytes);
    of_type::<Record, C>(PLAIN, version, bytes);
    of_type::<List, C>(PLAIN, version, bytes);
    of_type::<Tree, C>(PLAIN, version, bytes);
    of_type::<Untagged, C>(BUFFERED, version, bytes);
    of_type::<Tagged, C>(BUFFERED, version, bytes);
}

/// Fields of many kinds, and unknown ones, which are skipped.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    #[serde(default)]
    name: String,
    #[serde(default)]
    letter: Option<char>,
    #[serde(default)]
    wide: i128,
    #[serde(default)]
    small: (u8, bool, ()),
}

/// Nests without an array: 6 bytes for each level.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum List {
    End,
    Cons(Box<List>),
}

/// Makes room for as many children as are announced, on each level.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree {
    #[serde(default)]
    name: String,
    children: Vec<Tree>,
}

/// Is read into a buffer first.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Many(Vec<Untagged>),
    One(u64),
}

/// Likewise.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t")]
enum Tagged {
    Node { children: Vec<Tagged> },
    Leaf,
}

/// The mark of a state and a token in front, or nobody's.
fn slot(bytes: &[u8]) {
    let found = bounded(bytes.len(), PLAIN, || read_slot(bytes.to_vec()));
    match found {
        Reply::Hit(token, envelope) => {
            assert_eq!(bytes, [&[0xF8], &token.as_bytes()[..], &envelope].concat());
        }
        Reply::Leased(token) => assert_eq!(bytes, [&[0xF9], &token.as_bytes()[..]].concat()),
        Reply::Fenced => {
            assert_eq!(bytes.first(), Some(&0xFA));
            assert!(bytes.len() >= 18 && (bytes.len() - 2).is_multiple_of(16));
        }
        Reply::Miss => {}
        other => panic!("a look at a slot found {other:?}"),
    }
}

/// What is sealed stands there as the guide says.
fn sealed<C: Codec>(version: u32) {
    let ours = Header::of::<u32, C>(version);
    let sealed =
        seal::<_, C>(KEY, Some(&version), version, NEVER).expect("a number can be written");
    let encoded = &sealed[CHECK + ours.len()..];
    assert_eq!(sealed, ours.sealing(KEY, encoded));
    damaged::<u32, C>(&sealed, version);

    let absent = Header { follows: 0, ..ours };
    let sealed = seal::<u32, C>(KEY, None, version, NEVER).expect("nothing can be written");
    assert_eq!(sealed, absent.sealing(KEY, &[]));
    assert_eq!(open::<u32, C>(KEY, &sealed, version), Ok(None));
    let with_a_value = absent.sealing(KEY, encoded);
    assert_eq!(open::<u32, C>(KEY, &with_a_value, version), Err(Unreadable));

    let text = "of several words, ".repeat(20);
    let compressed = Header {
        follows: 2,
        ..Header::of::<String, C>(version)
    };
    let sealed = seal::<_, C>(KEY, Some(&text), version, 0).expect("a text can be written");
    let encoded = C::encode(&text).expect("a text can be written");
    let block = lz4_flex::block::compress(&encoded);
    assert_eq!(
        sealed,
        compressed.sealing(KEY, &announcing(encoded.len(), &block))
    );
    assert_eq!(open::<_, C>(KEY, &sealed, version), Ok(Some(text)));
    damaged::<String, C>(&sealed, version);
}

/// `bytes` as a block, and in a block that says that it makes something else than it does: never a wrong value, and never more
/// memory than the block can make.
fn packed<C: Codec>(version: u32, bytes: &[u8]) {
    let compressed = Header {
        follows: 2,
        ..Header::of::<serde_json::Value, C>(version)
    };
    let look = |body: &[u8], worth: u64| {
        let sealed = compressed.sealing(KEY, body);
        let open = || open::<serde_json::Value, C>(KEY, &sealed, version);
        bounded(body.len(), worth, open)
    };
    let _ = look(bytes, LZ4 * PLAIN);
    let block = lz4_flex::block::compress(bytes);
    for len in [
        0,
        bytes.len() + 1,
        250 * block.len(),
        1 << 20,
        1 << 30,
        (1 << 32) - 1,
    ] {
        if len != bytes.len() {
            let told = look(&announcing(len, &block), LZ4);
            assert_eq!(told, Err(Unreadable), "{len} bytes were announced");
        }
    }
    let honest = announcing(bytes.len(), &block);
    let told = look(&honest, PLAIN * (1 + bytes.len() / honest.len()) as u64);
    let plain = Header {
        follows: 1,
        ..compressed
    };
    let plain = open::<serde_json::Value, C>(KEY, &plain.sealing(KEY, bytes), version);
    assert_eq!(told, plain);
}

/// A block, and in front of it how much it is said to make.
fn announcing(len: usize, block: &[u8]) -> Vec<u8> {
    let len = u32::try_from(len).expect("a short text");
    [&len.to_le_bytes()[..], block].concat()
}

/// `bytes` as they are, and as an encoding.
fn of_type<T: Serialize + DeserializeOwned + Debug + PartialEq, C: Codec>(
    worth: u64,
    version: u32,
    bytes: &[u8],
) {
    let ours = Header::of::<T, C>(version);
    if let Ok(value) = bounded(bytes.len(), worth, || open::<T, C>(KEY, bytes, version)) {
        let encoded = bytes.get(CHECK + ours.len()..).unwrap_or_default();
        let follows = u8::from(value.is_some());
        assert_eq!(bytes, Header { follows, ..ours }.sealing(KEY, encoded));
    }

    let sealed = ours.sealing(KEY, bytes);
    let value = match bounded(bytes.len(), worth, || open::<T, C>(KEY, &sealed, version)) {
        Ok(Some(value)) => value,
        Ok(None) => panic!("a value was said to follow"),
        Err(Unreadable) => return,
    };
    let sealed =
        seal::<_, C>(KEY, Some(&value), version, NEVER).expect("what was read can be written");
    let again = open::<_, C>(KEY, &sealed, version).expect("what was written can be read");
    assert_eq!(again, Some(value));
    damaged::<T, C>(&sealed, version);
}

/// A value of ours is one for nobody else, and for nobody after it was damaged. `version` chooses among the damages.
fn damaged<T: DeserializeOwned + Debug + PartialEq, C: Codec>(sealed: &Bytes, version: u32) {
    let lost = |what: &str, bytes: &[u8]| {
        assert_eq!(open::<T, C>(KEY, bytes, version), Err(Unreadable), "{what}");
    };
    let choice = usize::try_from(version).expect("a number");
    let mut flipped = sealed.to_vec();
    flipped[choice % sealed.len()] ^= 1 << (choice / sealed.len() % 8);
    lost("one bit is another", &flipped);
    lost("it is cut", &sealed[..choice % sealed.len()]);
    lost("it is longer", &[sealed, &b"\0"[..]].concat());

    let next = version.wrapping_add(1);
    assert_eq!(open::<T, C>(OTHER_KEY, sealed, version), Err(Unreadable));
    assert_eq!(open::<T, C>(KEY, sealed, next), Err(Unreadable));
    // The same encoding under another name, and with another codec.
    assert_eq!(open::<Box<T>, C>(KEY, sealed, version), Err(Unreadable));
    assert_eq!(open::<T, Other<C>>(KEY, sealed, version), Err(Unreadable));

    // With a check that is right: as written by a program of ours that is older or newer.
    let follows = sealed[CHECK + 2];
    let ours = Header {
        follows,
        ..Header::of::<T, C>(version)
    };
    let encoded = &sealed[CHECK + ours.len()..];
    let flip = 1 << (choice % 8);
    let (format, codec) = (ours.format ^ flip, ours.codec ^ flip);
    let neither = follows | 4;
    for (what, header) in [
        ("of another format", Header { format, ..ours }),
        ("of another codec", Header { codec, ..ours }),
        (
            "nothing that can follow",
            Header {
                follows: neither,
                ..ours
            },
        ),
        ("said to be absent", Header { follows: 0, ..ours }),
    ] {
        lost(what, &header.sealing(KEY, encoded));
    }
}

/// The same codec under another number.
struct Other<C>(C);

impl<C: Codec> Codec for Other<C> {
    const ID: u8 = C::ID + 200;

    fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        C::encode(value)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        C::decode(bytes)
    }
}

/// What stands between the check and the encoding, written as the guide on the protocol says and not as the runtime does.
#[derive(Clone, Copy)]
struct Header {
    format: u8,
    codec: u8,
    follows: u8,
    version: u32,
    name: &'static str,
}

impl Header {
    fn of<T, C: Codec>(version: u32) -> Self {
        Self {
            format: 1,
            codec: C::ID,
            follows: 1,
            version,
            name: type_name::<T>(),
        }
    }

    fn len(&self) -> usize {
        9 + self.name.len()
    }

    /// The whole envelope.
    fn sealing(&self, key: &[u8], encoded: &[u8]) -> Vec<u8> {
        let name_len = u16::try_from(self.name.len()).expect("a short name");
        let rest = [
            &[self.format, self.codec, self.follows][..],
            &self.version.to_be_bytes(),
            &name_len.to_be_bytes(),
            self.name.as_bytes(),
            encoded,
        ]
        .concat();
        let check = xxh3_64_with_seed(&rest, xxh3_64(key));
        [&check.to_be_bytes()[..], &rest].concat()
    }
}
