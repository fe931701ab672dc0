//! Bytes under a key of ours that somebody else has written, or that were damaged on their way.

use std::any::type_name;
use std::collections::HashMap;
use std::fmt::Debug;

use bytes::Bytes;
use cache_runtime::__private::{Unreadable, open, read_slot, seal};
use cache_runtime::slot::Reply;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::memory::{BUFFERED, PLAIN, bounded};

const KEY: &[u8] = b"cache:0:user:7";
const OTHER_KEY: &[u8] = b"cache:0:user:8";

/// The bytes of the check, in front of all others.
const CHECK: usize = 8;

/// What must hold of `bytes` as what stands in the store, and of `bytes` as the encoding of a value in an envelope that is
/// right otherwise.
pub fn check(version: u32, bytes: &[u8]) {
    slot(bytes);
    sealed(version);
    of_type::<String>(PLAIN, version, bytes);
    of_type::<Vec<u8>>(PLAIN, version, bytes);
    of_type::<Vec<u64>>(PLAIN, version, bytes);
    of_type::<Vec<Vec<Vec<u16>>>>(PLAIN, version, bytes);
    of_type::<HashMap<String, u64>>(PLAIN, version, bytes);
    of_type::<serde_json::Value>(PLAIN, version, bytes);
    of_type::<Record>(PLAIN, version, bytes);
    of_type::<List>(PLAIN, version, bytes);
    of_type::<Tree>(PLAIN, version, bytes);
    of_type::<Untagged>(BUFFERED, version, bytes);
    of_type::<Tagged>(BUFFERED, version, bytes);
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
fn sealed(version: u32) {
    let ours = Header::of::<u32>(version);
    let sealed = seal(KEY, Some(&version), version).expect("a number can be written");
    let encoded = &sealed[CHECK + ours.len()..];
    assert_eq!(sealed, ours.sealing(KEY, encoded));
    damaged::<u32>(&sealed, version);

    let absent = Header { present: 0, ..ours };
    let sealed = seal::<u32>(KEY, None, version).expect("nothing can be written");
    assert_eq!(sealed, absent.sealing(KEY, &[]));
    assert_eq!(open::<u32>(KEY, &sealed, version), Ok(None));
    let with_a_value = absent.sealing(KEY, encoded);
    assert_eq!(open::<u32>(KEY, &with_a_value, version), Err(Unreadable));
}

/// `bytes` as they are, and as an encoding.
fn of_type<T: Serialize + DeserializeOwned + Debug + PartialEq>(
    worth: u64,
    version: u32,
    bytes: &[u8],
) {
    let ours = Header::of::<T>(version);
    if let Ok(value) = bounded(bytes.len(), worth, || open::<T>(KEY, bytes, version)) {
        let encoded = bytes.get(CHECK + ours.len()..).unwrap_or_default();
        let present = u8::from(value.is_some());
        assert_eq!(bytes, Header { present, ..ours }.sealing(KEY, encoded));
    }

    let sealed = ours.sealing(KEY, bytes);
    let value = match bounded(bytes.len(), worth, || open::<T>(KEY, &sealed, version)) {
        Ok(Some(value)) => value,
        Ok(None) => panic!("a value was said to follow"),
        Err(Unreadable) => return,
    };
    let sealed = seal(KEY, Some(&value), version).expect("what was read can be written");
    let again = open(KEY, &sealed, version).expect("what was written can be read");
    assert_eq!(again, Some(value));
    damaged::<T>(&sealed, version);
}

/// A value of ours is one for nobody else, and for nobody after it was damaged. `version` chooses among the damages.
fn damaged<T: DeserializeOwned + Debug + PartialEq>(sealed: &Bytes, version: u32) {
    let lost = |what: &str, bytes: &[u8]| {
        assert_eq!(open::<T>(KEY, bytes, version), Err(Unreadable), "{what}");
    };
    let choice = usize::try_from(version).expect("a number");
    let mut flipped = sealed.to_vec();
    flipped[choice % sealed.len()] ^= 1 << (choice / sealed.len() % 8);
    lost("one bit is another", &flipped);
    lost("it is cut", &sealed[..choice % sealed.len()]);
    lost("it is longer", &[sealed, &b"\0"[..]].concat());

    let next = version.wrapping_add(1);
    assert_eq!(open::<T>(OTHER_KEY, sealed, version), Err(Unreadable));
    assert_eq!(open::<T>(KEY, sealed, next), Err(Unreadable));
    // The same encoding under another name.
    assert_eq!(open::<Box<T>>(KEY, sealed, version), Err(Unreadable));

    // With a check that is right: as written by a program of ours that is older or newer.
    let ours = Header::of::<T>(version);
    let encoded = &sealed[CHECK + ours.len()..];
    let other = 1 ^ (1 << (choice % 8));
    let (format, codec, present) = (other, other, other & !1);
    for (what, header) in [
        ("of another format", Header { format, ..ours }),
        ("of another codec", Header { codec, ..ours }),
        ("neither present nor absent", Header { present, ..ours }),
    ] {
        lost(what, &header.sealing(KEY, encoded));
    }
}

/// What stands between the check and the encoding, written as the guide on the protocol says and not as the runtime does.
#[derive(Clone, Copy)]
struct Header {
    format: u8,
    codec: u8,
    present: u8,
    version: u32,
    name: &'static str,
}

impl Header {
    fn of<T>(version: u32) -> Self {
        Self {
            format: 1,
            codec: 1,
            present: 1,
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
            &[self.format, self.codec, self.present][..],
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
