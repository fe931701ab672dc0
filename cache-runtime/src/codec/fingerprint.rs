//! What the `Serialize` of a value tells, as one number: two values of a type that tell the same have the same.
//!
//! Bytes are nothing to compare: each `HashMap` has an order of its own, so a map that was encoded, decoded and encoded again
//! makes other bytes. Here the order of maps and sequences is of no account, and what codecs confuse is told apart: `Some(None)`
//! and `None`, `5_u8` and `5_u64`, the bits of floats.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Serializer};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::MAX_DEPTH;

/// The fingerprint of a value.
pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Result<u64, Untold> {
    value.serialize(Printer { levels: MAX_LEVELS })
}

/// A level of an encoding is up to this many here: `Some` and newtypes count as well.
const MAX_LEVELS: usize = 4 * MAX_DEPTH;

/// Why a value has no fingerprint.
#[derive(Debug, thiserror::Error)]
pub(super) enum Untold {
    #[error("it nests too deep")]
    TooDeep,
    #[error("{0}")]
    Refused(String),
}

impl ser::Error for Untold {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self::Refused(message.to_string())
    }
}

/// What stands in the data model of serde.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    I128,
    U8,
    U16,
    U32,
    U64,
    U128,
    F32,
    F64,
    Char,
    Str,
    Bytes,
    None,
    Some,
    Unit,
    Newtype,
    Seq,
    Tuple,
    Map,
    Entry,
    Struct,
    Variant,
}

fn leaf(kind: Kind, bytes: &[u8]) -> u64 {
    xxh3_64_with_seed(bytes, kind as u64)
}

/// A name or a number after what came before it.
fn after(before: u64, next: &[u8]) -> u64 {
    xxh3_64_with_seed(next, before)
}

fn pair(first: u64, second: u64) -> u64 {
    after(first, &second.to_le_bytes())
}

#[derive(Clone, Copy)]
struct Printer {
    levels: usize,
}

impl Printer {
    /// What is printed one level further in.
    fn inner<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Untold> {
        let levels = self.levels.checked_sub(1).ok_or(Untold::TooDeep)?;
        value.serialize(Self { levels })
    }

    fn ordered(self, kind: Kind) -> Ordered {
        Ordered {
            printer: self,
            print: leaf(kind, &[]),
        }
    }

    fn unordered(self, kind: Kind) -> Unordered {
        Unordered {
            printer: self,
            kind,
            sum: 0,
            count: 0,
            key: 0,
        }
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ident as $kind:ident),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<u64, Untold> {
            Ok(leaf(Kind::$kind, &value.to_le_bytes()))
        }
    )*};
}

impl Serializer for Printer {
    type Ok = u64;
    type Error = Untold;
    type SerializeSeq = Unordered;
    type SerializeTuple = Ordered;
    type SerializeTupleStruct = Ordered;
    type SerializeTupleVariant = Ordered;
    type SerializeMap = Unordered;
    type SerializeStruct = Ordered;
    type SerializeStructVariant = Ordered;

    numbers!(
        serialize_i8: i8 as I8,
        serialize_i16: i16 as I16,
        serialize_i32: i32 as I32,
        serialize_i64: i64 as I64,
        serialize_i128: i128 as I128,
        serialize_u8: u8 as U8,
        serialize_u16: u16 as U16,
        serialize_u32: u32 as U32,
        serialize_u64: u64 as U64,
        serialize_u128: u128 as U128,
        serialize_f32: f32 as F32,
        serialize_f64: f64 as F64,
    );

    fn serialize_bool(self, value: bool) -> Result<u64, Untold> {
        Ok(leaf(Kind::Bool, &[u8::from(value)]))
    }

    fn serialize_char(self, value: char) -> Result<u64, Untold> {
        Ok(leaf(Kind::Char, &u32::from(value).to_le_bytes()))
    }

    fn serialize_str(self, value: &str) -> Result<u64, Untold> {
        Ok(leaf(Kind::Str, value.as_bytes()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<u64, Untold> {
        Ok(leaf(Kind::Bytes, value))
    }

    fn serialize_none(self) -> Result<u64, Untold> {
        Ok(leaf(Kind::None, &[]))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Untold> {
        Ok(pair(leaf(Kind::Some, &[]), self.inner(value)?))
    }

    fn serialize_unit(self) -> Result<u64, Untold> {
        Ok(leaf(Kind::Unit, &[]))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<u64, Untold> {
        Ok(leaf(Kind::Unit, name.as_bytes()))
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<u64, Untold> {
        Ok(self.serialize_tuple_variant(name, 0, variant, 0)?.print)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<u64, Untold> {
        Ok(pair(
            leaf(Kind::Newtype, name.as_bytes()),
            self.inner(value)?,
        ))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<u64, Untold> {
        let inner = self.inner(value)?;
        let variant = self.serialize_tuple_variant(name, 0, variant, 1)?;
        Ok(pair(variant.print, inner))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Unordered, Untold> {
        Ok(self.unordered(Kind::Seq))
    }

    fn serialize_tuple(self, _: usize) -> Result<Ordered, Untold> {
        Ok(self.ordered(Kind::Tuple))
    }

    fn serialize_tuple_struct(self, name: &'static str, len: usize) -> Result<Ordered, Untold> {
        self.serialize_struct(name, len)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Ordered, Untold> {
        let name = leaf(Kind::Variant, name.as_bytes());
        Ok(Ordered {
            printer: self,
            print: after(name, variant.as_bytes()),
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Unordered, Untold> {
        Ok(self.unordered(Kind::Map))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Ordered, Untold> {
        Ok(Ordered {
            printer: self,
            print: leaf(Kind::Struct, name.as_bytes()),
        })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Ordered, Untold> {
        self.serialize_tuple_variant(name, index, variant, len)
    }

    /// As most binary formats: the form in which types tell most.
    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Elements that come back in their order.
struct Ordered {
    printer: Printer,
    print: u64,
}

impl Ordered {
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Untold> {
        self.print = pair(self.print, self.printer.inner(value)?);
        Ok(())
    }

    fn add_field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Untold> {
        self.print = after(self.print, name.as_bytes());
        self.add(value)
    }
}

/// Elements that may come back in another order: those of a set are a sequence, too.
struct Unordered {
    printer: Printer,
    kind: Kind,
    sum: u64,
    count: u64,
    key: u64,
}

impl Unordered {
    fn add(&mut self, print: u64) {
        self.sum = self.sum.wrapping_add(print);
        self.count += 1;
    }

    fn print(self) -> u64 {
        pair(leaf(self.kind, &self.count.to_le_bytes()), self.sum)
    }
}

impl ser::SerializeSeq for Unordered {
    type Ok = u64;
    type Error = Untold;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Untold> {
        self.add(self.printer.inner(value)?);
        Ok(())
    }

    fn end(self) -> Result<u64, Untold> {
        Ok(self.print())
    }
}

impl ser::SerializeMap for Unordered {
    type Ok = u64;
    type Error = Untold;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Untold> {
        self.key = pair(leaf(Kind::Entry, &[]), self.printer.inner(key)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Untold> {
        self.add(pair(self.key, self.printer.inner(value)?));
        Ok(())
    }

    fn end(self) -> Result<u64, Untold> {
        Ok(self.print())
    }
}

macro_rules! ordered {
    ($($trait:ident::$method:ident),* $(,)?) => {$(
        impl ser::$trait for Ordered {
            type Ok = u64;
            type Error = Untold;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Untold> {
                self.add(value)
            }

            fn end(self) -> Result<u64, Untold> {
                Ok(self.print)
            }
        }
    )*};
}
ordered!(
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
);

macro_rules! named {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Ordered {
            type Ok = u64;
            type Error = Untold;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Untold> {
                self.add_field(name, value)
            }

            fn end(self) -> Result<u64, Untold> {
                Ok(self.print)
            }
        }
    )*};
}
named!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    fn print<T: Serialize>(value: &T) -> u64 {
        of(value).unwrap_or_default()
    }

    #[derive(Serialize)]
    #[serde(rename = "Same")]
    enum Shapes {
        Unit,
        Newtype(u8),
        Tuple(u8, u8),
        Struct { a: u8 },
    }

    #[test]
    fn what_codecs_confuse_is_told_apart() {
        let prints = [
            print(&None::<Option<u8>>),
            print(&Some(None::<u8>)),
            print(&Some(())),
            print(&()),
            print(&5_u8),
            print(&Some(5_u8)),
            print(&5_u64),
            print(&5_i64),
            print(&5_i128),
            print(&5_f64),
            print(&5_f32),
            print(&0.0),
            print(&-0.0),
            print(&f64::NAN),
            print(&f64::INFINITY),
            print(&"5"),
            print(&'5'),
            print(&vec![5_u8]),
            print(&vec![5_u8, 5]),
            print(&(5_u8,)),
            print(&(5_u8, 6_u8)),
            print(&(6_u8, 5_u8)),
            print(&Vec::<u8>::new()),
            print(&BTreeMap::<u8, u8>::new()),
            print(&BTreeMap::from([(5_u8, 6_u8)])),
            print(&BTreeMap::from([(6_u8, 5_u8)])),
            print(&BTreeMap::from([(1, 2), (3, 4)])),
            print(&BTreeMap::from([(1, 4), (3, 2)])),
            print(&vec![vec![1], vec![2, 3]]),
            print(&vec![vec![1, 2], vec![3]]),
            print(&Shapes::Unit),
            print(&Shapes::Newtype(5)),
            print(&Shapes::Tuple(5, 6)),
            print(&Shapes::Tuple(6, 5)),
            print(&Shapes::Struct { a: 5 }),
        ];
        for (i, one) in prints.iter().enumerate() {
            for (j, other) in prints.iter().enumerate().skip(i + 1) {
                assert_ne!(one, other, "{i} and {j}");
            }
        }
    }

    /// So many levels, and no value that would have to be dropped level by level.
    struct Deep(usize);

    impl Serialize for Deep {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0.checked_sub(1) {
                Some(less) => serializer.serialize_some(&Self(less)),
                None => serializer.serialize_none(),
            }
        }
    }

    #[test]
    fn what_nests_without_end_is_given_up() {
        assert!(of(&Deep(MAX_LEVELS)).is_ok());
        assert!(matches!(of(&Deep(MAX_LEVELS + 1)), Err(Untold::TooDeep)));
    }

    #[test]
    fn order_is_of_no_account_where_it_is_none_of_the_value() {
        let entries = || (0..100_u32).map(|n| (n, n.to_string()));
        let maps: Vec<HashMap<_, _>> = (0..3).map(|_| entries().collect()).collect();
        assert_eq!(print(&maps[0]), print(&maps[1]));
        assert_eq!(
            print(&maps[0]),
            print(&entries().collect::<BTreeMap<_, _>>())
        );
    }
}
