//! `KeyPart` for the types of the standard library and of the crates behind features.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZero;
use std::rc::Rc;
use std::sync::Arc;

use super::{KeyPart, PartWriter};

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl KeyPart for $int {
            #[inline]
            fn write_part(&self, part: &mut PartWriter<'_>) {
                part.push_number(itoa::Buffer::new().format(*self));
            }
        }
        impl KeyPart for NonZero<$int> {
            fn write_part(&self, part: &mut PartWriter<'_>) {
                self.get().write_part(part);
            }
        }
    )*};
}
integers!(u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize);

/// For types whose `Display` is injective.
macro_rules! displayed {
    ($($ty:ty),* $(,)?) => {$(
        impl KeyPart for $ty {
            fn write_part(&self, part: &mut PartWriter<'_>) {
                part.push_display(self);
            }
        }
    )*};
}
displayed!(bool, char, IpAddr, Ipv4Addr, Ipv6Addr);

impl KeyPart for str {
    fn write_part(&self, part: &mut PartWriter<'_>) {
        part.push_str(self);
    }
}

impl KeyPart for String {
    fn write_part(&self, part: &mut PartWriter<'_>) {
        part.push_str(self);
    }
}

impl<T: KeyPart> KeyPart for Option<T> {
    fn write_part(&self, part: &mut PartWriter<'_>) {
        match self {
            Some(value) => part.push_some(value),
            None => part.push_none(),
        }
    }
}

impl<T: KeyPart + ToOwned + ?Sized> KeyPart for Cow<'_, T> {
    fn write_part(&self, part: &mut PartWriter<'_>) {
        self.as_ref().write_part(part);
    }
}

macro_rules! pointers {
    ($($ty:ty),*) => {$(
        impl<T: KeyPart + ?Sized> KeyPart for $ty {
            fn write_part(&self, part: &mut PartWriter<'_>) {
                (**self).write_part(part);
            }
        }
    )*};
}
pointers!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

#[cfg(feature = "uuid")]
displayed!(uuid::Uuid);

#[cfg(feature = "chrono")]
mod chrono_parts {
    use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeZone};

    use super::{KeyPart, PartWriter};

    displayed!(NaiveDate, NaiveDateTime, NaiveTime);

    /// The local time and its offset, to the second: the same instant at two offsets is two keys, because a body can tell
    /// them apart.
    impl<Tz: TimeZone> KeyPart for DateTime<Tz> {
        fn write_part(&self, part: &mut PartWriter<'_>) {
            part.push_display(&format_args!(
                "{:?}{}",
                self.naive_local(),
                self.offset().fix()
            ));
        }
    }
}

#[cfg(feature = "time")]
displayed!(
    time::Date,
    time::Time,
    time::PrimitiveDateTime,
    time::OffsetDateTime,
    time::UtcDateTime
);

#[cfg(feature = "jiff")]
displayed!(
    jiff::Timestamp,
    jiff::civil::Date,
    jiff::civil::DateTime,
    jiff::civil::Time
);

/// The instant, its offset to the second, and the zone.
#[cfg(feature = "jiff")]
impl KeyPart for jiff::Zoned {
    fn write_part(&self, part: &mut PartWriter<'_>) {
        let zone = self.time_zone().iana_name().unwrap_or_default();
        part.push_display(&format_args!(
            "{}{:+}[{zone}]",
            self.timestamp(),
            self.offset().seconds()
        ));
    }
}
