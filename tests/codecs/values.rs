//! Values of every kind that serde knows, and which of them are lost.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::collection::{btree_map, hash_map, hash_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// A float, which is equal to itself and to no other: by its bits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Double(f64);

impl PartialEq for Double {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Single(f32);

impl PartialEq for Single {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

/// Tagged externally.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Value {
    Unit,
    Units((), Empty, [u8; 3], ()),
    Integers(i8, i16, i32, i64, u8, u16, u32, u64),
    Wide {
        signed: i128,
        unsigned: u128,
    },
    Double(Double),
    Single(Single),
    Text(String, char, bool),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Option(Option<Double>),
    #[allow(clippy::option_option, reason = "what no codec can tell from less")]
    OptionOfOption(Option<Option<u8>>),
    OptionOfUnit(Option<()>),
    OptionOfBox(Option<Box<Value>>),
    List(Vec<Value>),
    Set(HashSet<u32>),
    ByName(HashMap<String, Value>),
    ByLetter(BTreeMap<char, Value>),
    ByNumber(HashMap<i64, Value>),
    ByWide(BTreeMap<u128, Value>),
    ByFlag(BTreeMap<bool, Value>),
    ByKind(HashMap<Kind, Value>),
    ByPair(HashMap<(u8, String), Value>),
    Named(Box<Named>),
    Internal(Internal),
    Adjacent(Adjacent),
    Untagged(Untagged),
    Flattened(Flattened),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Empty;

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Kind {
    One,
    Two,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Named {
    #[serde(rename = "a name")]
    name: String,
    value: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_out: Option<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t")]
pub(crate) enum Internal {
    Unit,
    Newtype(Box<Named>),
    Struct { value: Box<Value> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
pub(crate) enum Adjacent {
    Unit,
    Newtype(Box<Value>),
    Tuple(u8, Box<Value>),
    Struct { value: Box<Value> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Untagged {
    Number(i64),
    /// One that fits is read as a `Number`.
    Large(u64),
    Double(Double),
    Text(String),
    Both {
        a: Box<Value>,
        b: u8,
    },
    One {
        a: Box<Value>,
    },
    List(Vec<Untagged>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flattened {
    id: u8,
    /// Can hold an `id` as well.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// What a codec loses, besides an option of what looks like `None`.
#[derive(Clone, Copy)]
pub(crate) struct Losses {
    /// NaN and the infinities, and keys that are no text.
    json: bool,
    /// In what serde reads by way of a buffer, which holds no 128-bit integers, and knows of JSON that its keys are text.
    buffered: bool,
    /// In a buffer that is only borrowed, an empty sequence is no unit struct; in `MessagePack`, a unit struct is one.
    borrowed: bool,
}

impl Losses {
    pub(crate) const OF_MESSAGE_PACK: Self = Self {
        json: false,
        buffered: false,
        borrowed: false,
    };
    pub(crate) const OF_JSON: Self = Self {
        json: true,
        buffered: false,
        borrowed: false,
    };

    /// Whether anything of a value is lost.
    pub(crate) fn concern(self, value: &Value) -> bool {
        let any = |mut values: Box<dyn Iterator<Item = &Value> + '_>| {
            values.any(|value| self.concern(value))
        };
        let buffered = Self {
            buffered: true,
            borrowed: false,
            ..self
        };
        let borrowed = Self {
            borrowed: true,
            ..buffered
        };
        let no_text = self.json && self.buffered;
        match value {
            Value::Unit
            | Value::Integers(..)
            | Value::Text(..)
            | Value::Bytes(_)
            | Value::Set(_)
            | Value::Internal(Internal::Unit)
            | Value::Adjacent(Adjacent::Unit)
            | Value::Option(None)
            | Value::OptionOfBox(None) => false,
            Value::Units(..) => !self.json && self.borrowed,
            Value::Wide { .. } => self.buffered,
            Value::Double(float) | Value::Option(Some(float)) => self.concern_float(*float),
            Value::Single(float) => self.json && !float.0.is_finite(),
            Value::OptionOfOption(option) => *option == Some(None),
            Value::OptionOfUnit(option) => option.is_some(),
            Value::List(values) => any(Box::new(values.iter())),
            Value::ByName(values) => any(Box::new(values.values())),
            Value::ByLetter(values) => any(Box::new(values.values())),
            Value::ByKind(values) => any(Box::new(values.values())),
            Value::ByNumber(map) => no_text && !map.is_empty() || any(Box::new(map.values())),
            Value::ByWide(map) => self.buffered && !map.is_empty() || any(Box::new(map.values())),
            Value::ByFlag(map) => no_text && !map.is_empty() || any(Box::new(map.values())),
            Value::ByPair(map) => self.json && !map.is_empty() || any(Box::new(map.values())),
            Value::Named(named) => self.concern(&named.value),
            Value::Internal(Internal::Newtype(named)) => buffered.concern(&named.value),
            Value::Internal(Internal::Struct { value }) => buffered.concern(value),
            Value::OptionOfBox(Some(value))
            | Value::Adjacent(
                Adjacent::Newtype(value) | Adjacent::Tuple(_, value) | Adjacent::Struct { value },
            ) => self.concern(value),
            Value::Untagged(untagged) => borrowed.concern_untagged(untagged),
            Value::Flattened(Flattened { rest, .. }) => {
                rest.contains_key("id") || rest.values().any(|value| borrowed.concern(value))
            }
        }
    }

    fn concern_float(self, float: Double) -> bool {
        self.json && !float.0.is_finite()
    }

    fn concern_untagged(self, untagged: &Untagged) -> bool {
        match untagged {
            Untagged::Number(_) | Untagged::Text(_) => false,
            Untagged::Large(number) => i64::try_from(*number).is_ok(),
            Untagged::Double(float) => self.concern_float(*float),
            Untagged::Both { a, .. } | Untagged::One { a } => self.concern(a),
            Untagged::List(list) => list.iter().any(|one| self.concern_untagged(one)),
        }
    }
}

fn doubles() -> impl Strategy<Value = Double> {
    let special = prop::sample::select(vec![
        f64::NAN,
        f64::from_bits(0xfff0_0000_0000_0001),
        f64::INFINITY,
        f64::NEG_INFINITY,
    ]);
    let finite = any::<u64>().prop_map(f64::from_bits);
    let plain = prop::sample::select(vec![0.0, -0.0, 1.0, 0.1 + 0.2, 5e-324, f64::MAX]);
    prop_oneof![1 => special, 3 => finite, 3 => plain].prop_map(Double)
}

fn singles() -> impl Strategy<Value = Single> {
    let special = prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    let finite = any::<u32>().prop_map(f32::from_bits);
    prop_oneof![1 => special, 6 => finite].prop_map(Single)
}

fn leaves() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Unit),
        any::<[u8; 3]>().prop_map(|three| Value::Units((), Empty, three, ())),
        any::<(i8, i16, i32, i64, u8, u16, u32, u64)>()
            .prop_map(|(a, b, c, d, e, f, g, h)| Value::Integers(a, b, c, d, e, f, g, h)),
        any::<(i128, u128)>().prop_map(|(signed, unsigned)| Value::Wide { signed, unsigned }),
        (-9..9_i128, 0..9_u128).prop_map(|(signed, unsigned)| Value::Wide { signed, unsigned }),
        doubles().prop_map(Value::Double),
        singles().prop_map(Value::Single),
        any::<(String, char, bool)>().prop_map(|(a, b, c)| Value::Text(a, b, c)),
        vec(any::<u8>(), 0..50).prop_map(Value::Bytes),
        option::of(doubles()).prop_map(Value::Option),
        option::of(option::of(any::<u8>())).prop_map(Value::OptionOfOption),
        option::of(Just(())).prop_map(Value::OptionOfUnit),
        Just(Value::OptionOfBox(None)),
        hash_set(any::<u32>(), 0..20).prop_map(Value::Set),
        Just(Value::Internal(Internal::Unit)),
        Just(Value::Adjacent(Adjacent::Unit)),
    ]
}

fn untagged(value: BoxedStrategy<Value>) -> impl Strategy<Value = Untagged> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Untagged::Number),
        any::<u64>().prop_map(Untagged::Large),
        doubles().prop_map(Untagged::Double),
        any::<String>().prop_map(Untagged::Text),
        (value.clone(), any::<u8>()).prop_map(|(a, b)| Untagged::Both { a: a.into(), b }),
        value.prop_map(|a| Untagged::One { a: a.into() }),
    ];
    leaf.prop_recursive(2, 6, 3, |list| vec(list, 0..3).prop_map(Untagged::List))
}

#[allow(clippy::needless_pass_by_value, reason = "as it is called by proptest")]
fn with_inner(value: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let v = || value.clone();
    let boxed = || v().prop_map(Box::new);
    let named = || {
        let fields = (any::<String>(), v(), option::of(any::<u8>()));
        fields.prop_map(|(name, value, left_out)| {
            Box::new(Named {
                name,
                value,
                left_out,
            })
        })
    };
    let kind = prop::sample::select(vec![Kind::One, Kind::Two]);
    let texts = prop::sample::select(vec!["id", "name", "", "t", "c"]).prop_map(str::to_owned);
    let collections = prop_oneof![
        vec(v(), 0..5).prop_map(Value::List),
        hash_map(any::<String>(), v(), 0..4).prop_map(Value::ByName),
        btree_map(any::<char>(), v(), 0..4).prop_map(Value::ByLetter),
        hash_map(any::<i64>(), v(), 0..4).prop_map(Value::ByNumber),
        btree_map(any::<u128>(), v(), 0..4).prop_map(Value::ByWide),
        btree_map(any::<bool>(), v(), 0..3).prop_map(Value::ByFlag),
        hash_map(kind, v(), 0..3).prop_map(Value::ByKind),
        hash_map(any::<(u8, String)>(), v(), 0..4).prop_map(Value::ByPair),
    ];
    let wrappers = prop_oneof![
        boxed().prop_map(|value| Value::OptionOfBox(Some(value))),
        named().prop_map(Value::Named),
        named().prop_map(|named| Value::Internal(Internal::Newtype(named))),
        boxed().prop_map(|value| Value::Internal(Internal::Struct { value })),
        boxed().prop_map(|value| Value::Adjacent(Adjacent::Newtype(value))),
        (any::<u8>(), boxed()).prop_map(|(n, value)| Value::Adjacent(Adjacent::Tuple(n, value))),
        boxed().prop_map(|value| Value::Adjacent(Adjacent::Struct { value })),
        untagged(v()).prop_map(Value::Untagged),
        (any::<u8>(), btree_map(texts, v(), 0..3))
            .prop_map(|(id, rest)| Value::Flattened(Flattened { id, rest })),
    ];
    prop_oneof![collections, wrappers]
}

pub(crate) fn values() -> impl Strategy<Value = Value> {
    leaves().prop_recursive(5, 40, 4, with_inner)
}
