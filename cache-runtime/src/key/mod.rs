//! Keys: what a template renders to for one call.
//!
//! # Rendering
//!
//! A key is a row of segments joined by `:`. Literal text stands as written; a part (the value of a
//! placeholder) is escaped, so that it can neither end its segment nor act as a pattern:
//!
//! | in a part | in the key |
//! | --- | --- |
//! | `:` `%` `*` `?` `[` `]` `{` `}` `\`, space, ASCII control characters | `%` and two upper-case hex digits |
//! | the first character of the text up to the next placeholder of the same segment | likewise |
//! | `None` | `%n` |
//! | a part that renders to more than [`MAX_PART_LEN`] bytes, or one marked `:hash` | `%h` and 32 hex digits |
//!
//! No other rendering contains `%n`, `%s` or `%h`, because an escape is followed by hex digits only.
//! Two different lists of arguments therefore never render to the same key (for a hashed part: up to
//! a collision of SHA-256 cut to 128 bits).

mod buf;
mod parts;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

pub(crate) use buf::KeyBuf;

use crate::cache::global;
use crate::error::CacheError;
use crate::outcome::CacheValue;
use crate::policy::Policy;

/// The longest rendering, in bytes, that a part keeps. A longer one is replaced by its 128-bit hash.
pub const MAX_PART_LEN: usize = 128;

/// A type whose values can fill a placeholder of a key template.
///
/// Implemented for integers, `bool`, `char`, strings, `IpAddr` and its kin, `NonZero`, `Option`,
/// references, `Box`, `Rc`, `Arc` and `Cow`; behind the feature of the same name for `Uuid` and for the dates of
/// `chrono`, `time` and `jiff`. For a newtype or an enum without fields, derive it:
///
/// ```
/// use cache_runtime::KeyPart;
///
/// #[derive(KeyPart)]
/// struct UserId(u64);
///
/// #[derive(KeyPart)]
/// enum Region { Europe, Asia }
/// ```
///
/// An implementation by hand must be injective: values that differ must write different text.
/// Floats are no key parts: `0.1 + 0.2` and `0.3` would be two entries, and `NaN` would never be found again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a part of a cache key",
    label = "this placeholder's type is no `KeyPart`",
    note = "key parts are integers, `bool`, `char`, strings, `IpAddr`, `NonZero`, `Option` and references of these, and with a feature `Uuid` and dates",
    note = "for a newtype or an enum without fields: `#[derive(cache_runtime::KeyPart)]`; floats are refused because equal-looking floats differ",
    note = "or leave the argument out of the key with `skip(...)`, if it cannot change the result"
)]
pub trait KeyPart {
    /// Writes this value's text into the key.
    fn write_part(&self, part: &mut PartWriter<'_>);
}

/// Receives the text of one part and escapes it.
///
/// ```
/// use cache_runtime::{Key, KeyPart, PartWriter};
///
/// struct Version { major: u16, minor: u16 }
///
/// impl KeyPart for Version {
///     fn write_part(&self, part: &mut PartWriter<'_>) {
///         part.push_display(&format_args!("{}.{}", self.major, self.minor));
///     }
/// }
/// assert_eq!(Key::of("docs").part(&Version { major: 1, minor: 2 }).as_str(), "docs:1.2");
/// ```
#[derive(Debug)]
pub struct PartWriter<'a> {
    buf: &'a mut KeyBuf,
    start: usize,
    delimiter: Option<u8>,
}

impl PartWriter<'_> {
    /// Appends text.
    pub fn push_str(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789ABCDEF";
        let mut rest = text.as_bytes();
        let delimiter = self.delimiter;
        let is_escaped = |byte: &u8| is_reserved(*byte) || Some(*byte) == delimiter;
        while let Some(at) = rest.iter().position(is_escaped) {
            let (plain, escaped) = rest.split_at(at);
            let byte = escaped[0];
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            self.buf.push_all(plain);
            self.buf.push_all(&[b'%', high, low]);
            rest = &escaped[1..];
        }
        self.buf.push_all(rest);
    }

    /// Appends digits, and perhaps a sign.
    #[inline]
    fn push_number(&mut self, number: &str) {
        if self.delimiter.is_none() {
            self.buf.push_all(number.as_bytes());
        } else {
            self.push_str(number);
        }
    }

    /// Appends what `value` displays.
    pub fn push_display(&mut self, value: &(impl fmt::Display + ?Sized)) {
        struct Escaping<'p, 'a>(&'p mut PartWriter<'a>);
        impl fmt::Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.push_str(text);
                Ok(())
            }
        }
        // `Escaping` never fails; a `Display` that reports an error of its own has still written
        // what it could, and a key must not panic.
        let _ = fmt::Write::write_fmt(&mut Escaping(self), format_args!("{value}"));
    }

    /// Marks an absent value: a text that no value can write.
    fn push_none(&mut self) {
        self.buf.push_all(b"%n");
    }

    /// Writes a present value such that it differs from an absent one, however deep `Option`s nest.
    fn push_some(&mut self, value: &(impl KeyPart + ?Sized)) {
        let start = self.buf.len();
        value.write_part(self);
        let inner = self.buf.from(start);
        if inner.starts_with(b"%n") || inner.starts_with(b"%s") {
            let marked = [b"%s", inner].concat();
            self.buf.replace_from(start, &marked);
        }
    }

    fn hash(&mut self) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let digest = hmac_sha256::Hash::hash(self.buf.from(self.start));
        let mut hashed = b"%h".to_vec();
        for byte in &digest[..16] {
            hashed.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        self.buf.replace_from(self.start, &hashed);
    }
}

const fn is_reserved(byte: u8) -> bool {
    matches!(
        byte,
        0..=b' ' | 0x7f | b':' | b'%' | b'*' | b'?' | b'[' | b']' | b'{' | b'}' | b'\\'
    )
}

/// How long an escape at the beginning of this text is: `%3A`, `%n`, `%s` in front of another of these two, `%h` and a hash.
fn escape_at(text: &str) -> Option<usize> {
    let after = text.strip_prefix('%')?.as_bytes();
    let marks_option = |bytes: &[u8]| matches!(bytes, [b'%', b'n' | b's', ..]);
    let is_upper_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
    let is_lower_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match after {
        [b'n', ..] => Some(2),
        [b's', inner @ ..] if marks_option(inner) => Some(2),
        [b'h', hash @ ..] if hash.len() >= 32 && hash.iter().take(32).all(is_lower_hex) => Some(34),
        // What is escaped is ASCII: a reserved character, or one that stands between two parts.
        [b'0'..=b'7', low, ..] if is_upper_hex(low) => Some(3),
        _ => None,
    }
}

/// Receives a key: literal text and parts, in order.
///
/// What `#[derive(CacheKey)]` and the attributes write into; needed by hand only for a [`CacheKey`] of one's own.
///
/// ```
/// use std::borrow::Cow;
/// use cache_runtime::{AnyValue, CacheKey, Key, KeyWriter};
///
/// struct Page(u32);
///
/// impl CacheKey for Page {
///     type Admits = AnyValue;
///     fn template(&self) -> Cow<'static, str> {
///         "page:<number>".into()
///     }
///     fn write_key(&self, key: &mut KeyWriter) {
///         key.literal("page:");
///         key.part(&self.0);
///     }
/// }
/// assert_eq!(Key::rendered(&Page(3)).as_str(), "page:3");
/// ```
#[derive(Debug)]
pub struct KeyWriter {
    buf: KeyBuf,
}

impl KeyWriter {
    /// One that goes on after a prefix.
    #[inline]
    pub(crate) fn after(prefix: &KeyBuf) -> Self {
        Self {
            buf: prefix.clone(),
        }
    }

    pub(crate) fn new(prefix: &[u8]) -> Self {
        Self {
            buf: KeyBuf::of(prefix),
        }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.buf.as_slice()
    }

    pub(crate) fn finish(self) -> RenderedKey {
        RenderedKey(self.buf)
    }

    /// Appends literal text of a template, `:` included, as it stands.
    #[inline]
    pub fn literal(&mut self, text: &str) {
        self.buf.push_all(text.as_bytes());
    }

    /// Appends a part that reaches to the end of its segment.
    #[inline]
    pub fn part(&mut self, value: &(impl KeyPart + ?Sized)) {
        self.write(value, None, false);
    }

    /// Appends a part that another part of the same segment follows. `delimiter` is the first
    /// character of the text between the two; it is escaped here, so that the parts cannot run into each other.
    #[inline]
    pub fn part_before(&mut self, value: &(impl KeyPart + ?Sized), delimiter: u8) {
        self.write(value, Some(delimiter), false);
    }

    /// Appends the 128-bit hash of a part: for bearer tokens and other secrets, which must not stand in the store.
    #[inline]
    pub fn part_hashed(&mut self, value: &(impl KeyPart + ?Sized)) {
        self.write(value, None, true);
    }

    #[inline]
    fn write(&mut self, value: &(impl KeyPart + ?Sized), delimiter: Option<u8>, hash: bool) {
        let start = self.buf.len();
        let mut part = PartWriter {
            buf: &mut self.buf,
            start,
            delimiter,
        };
        value.write_part(&mut part);
        if hash || part.buf.len() - start > MAX_PART_LEN {
            part.hash();
        }
    }
}

/// A key that a call can be cached under. Derive it, or build a [`Key`].
///
/// ```
/// use cache_runtime::CacheKey;
///
/// #[derive(CacheKey)]
/// #[cache_key("user:<id>")]
/// struct UserKey { id: u64 }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no cache key",
    label = "not a `CacheKey`",
    note = "derive it: `#[derive(cache_runtime::CacheKey)] #[cache_key(\"user:<id>\")] struct UserKey {{ id: u64 }}`"
)]
pub trait CacheKey {
    /// Which value types may stand under this key: [`AnyValue`], or [`Only<T>`] for `value = T`.
    type Admits;

    /// The key's template, for messages and statistics.
    fn template(&self) -> Cow<'static, str>;

    /// Writes the key.
    fn write_key(&self, key: &mut KeyWriter);

    /// Drops what the global cache holds under this key: [`Cache::invalidate`](crate::Cache::invalidate).
    ///
    /// ```
    /// use cache_runtime::CacheKey;
    /// # #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    /// # struct User;
    ///
    /// #[derive(CacheKey)]
    /// #[cache_key("user:<id>", value = User)]
    /// struct UserKey { id: u64 }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cache_runtime::CacheError> {
    /// UserKey { id: 7 }.invalidate().await?;
    /// assert_eq!(UserKey { id: 7 }.get().await?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Cache::invalidate`](crate::Cache::invalidate).
    fn invalidate(&self) -> impl Future<Output = Result<(), CacheError>> + Send
    where
        Self: Sized + Sync,
    {
        global().invalidate(self)
    }

    /// What the global cache holds under this key, for keys that name the type of their values (`value = User`), of version 0 and
    /// encoded as [`MessagePack`](crate::MessagePack): [`Cache::get`](crate::Cache::get). For other versions and codecs, use that.
    ///
    /// # Errors
    ///
    /// Those of [`Cache::get`](crate::Cache::get).
    fn get(
        &self,
    ) -> impl Future<Output = Result<Option<<Self::Admits as Holds>::Value>, CacheError>> + Send
    where
        Self: Sized + Sync,
        Self::Admits: Holds<Value: CacheValue> + Admits<<Self::Admits as Holds>::Value>,
    {
        // No value is stored by this: the TTL is of no account.
        const ANY: Policy = Policy::new(Duration::ZERO);
        global().get(self, ANY)
    }
}

impl<K: CacheKey + ?Sized> CacheKey for &K {
    type Admits = K::Admits;

    fn template(&self) -> Cow<'static, str> {
        (**self).template()
    }

    fn write_key(&self, key: &mut KeyWriter) {
        (**self).write_key(key);
    }
}

/// A key that says nothing about its values.
#[derive(Debug)]
pub enum AnyValue {}

/// A key under which only a `T` stands.
#[derive(Debug)]
pub struct Only<T>(PhantomData<fn() -> T>);

/// What kind of value stands under a key that names one.
#[diagnostic::on_unimplemented(
    message = "this key does not say what it holds",
    label = "the type of its values is not known",
    note = "name it in its attribute, as in `#[cache_key(\"user:<id>\", value = User)]`, or use `Cache::get`"
)]
pub trait Holds {
    /// The type of the values.
    type Value;
}

impl<T> Holds for Only<T> {
    type Value = T;
}

/// Whether a value of type `T` may stand under a key: always for [`AnyValue`], and for [`Only<T>`] if it is that type.
#[diagnostic::on_unimplemented(
    message = "this function's value `{T}` is not the value type of its key",
    label = "the key holds another type: `{Self}`",
    note = "a typed key is shared by everyone who reads or writes it; its type is set by `value = ...` in `#[cache_key(...)]`"
)]
pub trait Admits<T> {}

impl<T> Admits<T> for AnyValue {}
impl<T> Admits<T> for Only<T> {}

/// A key built at run time, for use without the macros.
///
/// ```
/// use cache_runtime::Key;
///
/// let key = Key::of("user").part(&42_u64).part("a:b");
/// assert_eq!(key.as_str(), "user:42:a%3Ab");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use]
pub struct Key {
    text: String,
    template: String,
}

impl Key {
    /// Starts a key with literal segments: `Key::of("settings:global")`.
    ///
    /// Characters that a template may not hold are escaped.
    pub fn of(literal: &str) -> Self {
        let mut buf = KeyBuf::of(b"");
        for (i, segment) in literal.split(':').enumerate() {
            if i > 0 {
                buf.push_all(b":");
            }
            let start = buf.len();
            PartWriter {
                buf: &mut buf,
                start,
                delimiter: None,
            }
            .push_str(segment);
        }
        let text = String::from_utf8_lossy(buf.as_slice()).into_owned();
        Self {
            template: text.clone(),
            text,
        }
    }

    /// A key as it stands in the store, without the namespace and the epoch in front: what [`as_str`](Self::as_str) tells, or a person
    /// types. What any template can render to is taken, and nothing else.
    ///
    /// # Errors
    ///
    /// Where no key is written like that: with a space, an ASCII control character or one of ``*?[]{}\``, which keys
    /// [escape](crate::guide::keys), or with a `%` that begins none of their escapes.
    ///
    /// ```
    /// use cache_runtime::Key;
    ///
    /// # fn main() -> Result<(), cache_runtime::ParseKeyError> {
    /// let key = Key::of("user").part("a:b");
    /// assert_eq!(Key::parse(key.as_str())?.as_str(), "user:a%3Ab");
    /// assert!(Key::parse("user:*").is_err());
    /// # Ok(()) }
    /// ```
    pub fn parse(text: &str) -> Result<Self, ParseKeyError> {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = match escape_at(rest) {
                Some(escape) => rest.get(escape..).unwrap_or_default(),
                None if c == '%' => {
                    let shown: String = rest.chars().take(3).collect();
                    return Err(ParseKeyError(format!(
                        "no key holds `{shown}`: a `%` of a value is written `%25`"
                    )));
                }
                None if c != ':' && u8::try_from(c).is_ok_and(is_reserved) => {
                    let code = u32::from(c);
                    return Err(ParseKeyError(format!(
                        "no key holds {c:?} as it is: in a key it is written `%{code:02X}`"
                    )));
                }
                None => rest.get(c.len_utf8()..).unwrap_or_default(),
            };
        }
        Ok(Self {
            text: text.to_owned(),
            template: text.to_owned(),
        })
    }

    /// What another key renders to, for a log or a test.
    ///
    /// ```
    /// use cache_runtime::{CacheKey, Key};
    ///
    /// #[derive(CacheKey)]
    /// #[cache_key("user:<id>")]
    /// struct UserKey { id: u64 }
    ///
    /// assert_eq!(Key::rendered(&UserKey { id: 7 }).as_str(), "user:7");
    /// ```
    pub fn rendered(key: &(impl CacheKey + ?Sized)) -> Self {
        let mut writer = KeyWriter::new(b"");
        key.write_key(&mut writer);
        Self {
            text: String::from_utf8_lossy(writer.as_bytes()).into_owned(),
            template: key.template().into_owned(),
        }
    }

    /// Appends a segment that holds one escaped value.
    pub fn part(self, value: &(impl KeyPart + ?Sized)) -> Self {
        self.segment("<_>", |key| key.part(value))
    }

    /// Appends a segment that holds the 128-bit hash of a value, for secrets.
    pub fn part_hashed(self, value: &(impl KeyPart + ?Sized)) -> Self {
        self.segment("<_:hash>", |key| key.part_hashed(value))
    }

    fn segment(mut self, placeholder: &str, write: impl FnOnce(&mut KeyWriter)) -> Self {
        let mut writer = KeyWriter::new(b":");
        write(&mut writer);
        self.text
            .push_str(&String::from_utf8_lossy(writer.as_bytes()));
        self.template.push(':');
        self.template.push_str(placeholder);
        self
    }

    /// The key as it stands in the store, without the namespace and epoch in front.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A text that is no key: see [`Key::parse`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseKeyError(String);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl CacheKey for Key {
    type Admits = AnyValue;

    fn template(&self) -> Cow<'static, str> {
        Cow::Owned(self.template.clone())
    }

    fn write_key(&self, key: &mut KeyWriter) {
        key.literal(&self.text);
    }
}

/// A whole key, with the namespace and epoch in front: the name of one slot.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct RenderedKey(KeyBuf);

impl RenderedKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl fmt::Debug for RenderedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn render(write: impl FnOnce(&mut KeyWriter)) -> String {
        let mut writer = KeyWriter::new(b"");
        write(&mut writer);
        String::from_utf8(writer.finish().as_bytes().to_vec()).unwrap_or_default()
    }

    #[test]
    fn a_part_cannot_leave_its_segment() {
        assert_eq!(render(|k| k.part("x:y")), "x%3Ay");
        assert_eq!(render(|k| k.part("*")), "%2A");
        assert_eq!(render(|k| k.part("100%")), "100%25");
        assert_eq!(
            render(|k| k.part("a{b}\\[c]?\n ")),
            "a%7Bb%7D%5C%5Bc%5D%3F%0A%20"
        );
        assert_eq!(render(|k| k.part("zoë")), "zoë");
    }

    #[test]
    fn parts_of_one_segment_cannot_run_into_each_other() {
        let pair = |a: &str, b: &str| {
            render(|k| {
                k.part_before(a, b'-');
                k.literal("-");
                k.part(b);
            })
        };
        assert_eq!(pair("x-y", "z"), "x%2Dy-z");
        assert_eq!(pair("x", "y-z"), "x-y-z");
    }

    #[test]
    fn every_depth_of_option_is_its_own_key() {
        let none: Option<&str> = None;
        let some_none: Option<Option<&str>> = Some(None);
        let some_some_none: Option<Option<Option<&str>>> = Some(Some(None));
        let keys = [
            render(|k| k.part(&none)),
            render(|k| k.part(&some_none)),
            render(|k| k.part(&some_some_none)),
            render(|k| k.part(&Some("%n"))),
            render(|k| k.part(&Some(""))),
            render(|k| k.part(&Some("None"))),
        ];
        assert_eq!(keys, ["%n", "%s%n", "%s%s%n", "%25n", "", "None"]);
    }

    #[test]
    fn long_and_secret_parts_are_hashed() {
        let long = "x".repeat(MAX_PART_LEN + 1);
        let key = render(|k| k.part(long.as_str()));
        assert_eq!(key.len(), 34);
        assert!(key.starts_with("%h"));
        let secret = render(|k| k.part_hashed("s3cret"));
        assert!(secret.starts_with("%h") && !secret.contains("s3cret"));
        assert_eq!(
            render(|k| k.part("x".repeat(MAX_PART_LEN).as_str())).len(),
            MAX_PART_LEN
        );
    }

    /// Whatever stands in the arguments.
    fn any_part() -> impl Strategy<Value = Option<Option<String>>> {
        let odd = [
            "", "<b>", "\u{3000}", "\u{85}", "\u{9f}", "\0", "%n", "%s", "%t:", ":", "*", "a b",
            "é", "-", "%25",
        ];
        let odd = prop::collection::vec(prop::sample::select(odd.to_vec()), 0..4);
        let text = prop_oneof![
            4 => odd.prop_map(|texts| texts.concat()),
            2 => any::<String>(),
            1 => any::<String>().prop_map(|text| text.repeat(200)),
        ];
        prop::option::of(prop::option::of(text))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_rendered_is_parsed(a in any_part(), b in any_part(), c in any_part(), delimiter in 0x21..0x7f_u8) {
            prop_assume!(!is_reserved(delimiter));
            let between = char::from(delimiter).to_string();
            let rendered = render(|k| {
                k.part(&a);
                k.literal(":<x>:");
                k.part_before(&b, delimiter);
                k.literal(&between);
                k.part_hashed(&c);
                k.literal(":");
                k.part(&c);
            });
            let parsed = Key::parse(&rendered);
            prop_assert_eq!(parsed.as_ref().map(Key::as_str), Ok(&*rendered));
        }

        /// And nothing else: a text of plain parts and escapes is what those parts render to.
        #[test]
        fn what_is_parsed_could_have_been_rendered(texts in prop::collection::vec(
            prop::sample::select(vec!["%", "n", "s", "h", "t", "3", "A", "a", "8", ":", "*", "{", "é", "0123456789abcdef"]), 0..8,
        )) {
            let text = texts.concat();
            if let Ok(key) = Key::parse(&text) {
                let mut written = String::new();
                let mut rest = key.as_str();
                while let Some(c) = rest.chars().next() {
                    let escape = escape_at(rest).unwrap_or_default();
                    let hex = (escape == 3).then(|| u8::from_str_radix(&rest[1..3], 16).ok()).flatten();
                    let piece = match hex {
                        Some(byte) => render(|k| k.part_before(&char::from(byte), byte)),
                        None if escape > 0 => rest[..escape].to_owned(),
                        None => render(|k| if c == ':' { k.literal(":") } else { k.part(&c) }),
                    };
                    prop_assert!(rest.starts_with(&piece), "{rest}: {piece}");
                    rest = &rest[piece.len()..];
                    written.push_str(&piece);
                }
                prop_assert_eq!(written, text);
            }
        }
    }

    #[test]
    fn each_character_is_parsed_that_a_part_leaves_as_it_is() {
        for c in (0..=0x3fff).filter_map(char::from_u32) {
            let text = c.to_string();
            let is_plain = c == ':' || render(|k| k.part(&c)) == text;
            assert_eq!(Key::parse(&text).is_ok(), is_plain, "{c:?}");
        }
    }

    #[test]
    fn what_no_template_renders_to_is_refused() {
        let hash = "0".repeat(31);
        let short = format!("%h{hash}");
        let upper = format!("%h{hash}A");
        for text in [
            "%t:user:1",
            "%switch",
            "%",
            "%s",
            "%s1",
            "%3a",
            "%3",
            "%C3",
            "user:%zz",
            &short,
            &upper,
            "user:*",
            "a b",
        ] {
            assert!(Key::parse(text).is_err(), "{text}");
        }
        for text in [
            "",
            "user:",
            "a::b",
            "%n",
            "%s%n",
            "%s%s%n",
            "%3A",
            "%2D",
            &format!("%h{hash}a"),
        ] {
            assert_eq!(Key::parse(text).map(|key| key.text), Ok(text.to_owned()));
        }
    }
}
