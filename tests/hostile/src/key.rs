//! Arguments in the place of the parts of a key.

use cache_runtime::__private::{KeyWriter, rendered};
use cache_runtime::MAX_PART_LEN;

use crate::memory::{PLAIN, bounded};
use crate::parser::{Ending, Piece};
use crate::template::parse;

/// An argument.
#[allow(
    clippy::option_option,
    reason = "each depth is to be a part of its own"
)]
pub type Value = Option<Option<String>>;

/// A part that was replaced by its hash: `%h` and 128 bits in hex.
const HASH_LEN: usize = 34;

/// What must hold of the key that a template renders to with these arguments, given one after the other and, where there
/// are fewer of them than placeholders, again from the first.
///
/// That keys are injective is shown in the strongest way: by reading the arguments out of the key again.
pub fn check(template: &str, values: &[Value]) {
    let Ok(pieces) = parse(template) else { return };
    if values.is_empty() {
        return;
    }
    let len = template.len() + pieces.len() * values.iter().map(len).max().unwrap_or(0);
    let key = bounded(len, PLAIN, || render(&pieces, values));
    assert!(
        !key.contains(['*', '?', '[', ']', '{', '}', '\\', ' ']),
        "{key}"
    );
    assert!(!key.contains(|c: char| c.is_ascii_control()), "{key}");

    let mut rest = key.as_str();
    let mut given = values.iter().cycle();
    for (i, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) => rest = rest.strip_prefix(text.as_str()).expect("the text"),
            Piece::Placeholder(part) => {
                let (written, after) = take(rest, part.ending, pieces.get(i + 1));
                read_back(written, part.ending, given.next().expect("a value"));
                rest = after;
            }
        }
    }
    assert_eq!(rest, "", "{key}");
}

fn len(value: &Value) -> usize {
    value.iter().flatten().map(String::len).sum()
}

/// As the macros do it.
fn render(pieces: &[Piece], values: &[Value]) -> String {
    rendered(|key| {
        let mut values = values.iter().cycle();
        for piece in pieces {
            match piece {
                Piece::Text(text) => key.literal(text),
                Piece::Placeholder(part) => {
                    write(key, part.ending, values.next().expect("a value"));
                }
            }
        }
    })
}

fn write(key: &mut KeyWriter, ending: Ending, value: &Value) {
    match ending {
        Ending::Segment => key.part(value),
        Ending::Before(delimiter) => key.part_before(value, delimiter),
        Ending::Hash => key.part_hashed(value),
    }
}

/// Takes one part off a key: what its ending says, and nothing else, tells where it is over.
fn take<'k>(key: &'k str, ending: Ending, next: Option<&Piece>) -> (&'k str, &'k str) {
    let len = match ending {
        Ending::Hash => HASH_LEN,
        Ending::Before(delimiter) => key.find(char::from(delimiter)).expect("its end"),
        Ending::Segment => {
            let suffix = match next {
                Some(Piece::Text(text)) => text.split(':').next().unwrap_or_default(),
                _ => "",
            };
            let segment = key.split(':').next().unwrap_or_default();
            segment
                .strip_suffix(suffix)
                .expect("the text after it")
                .len()
        }
    };
    key.split_at(len)
}

fn read_back(written: &str, ending: Ending, value: &Value) {
    assert!(written.len() <= MAX_PART_LEN, "{written}");
    if let Some(digits) = written.strip_prefix("%h") {
        assert_eq!(written.len(), HASH_LEN);
        assert!(
            digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        let longer = value
            .as_ref()
            .map(|text| text.as_ref().map(|text| format!("{text}.")));
        let other = rendered(|key| write(key, ending, &longer));
        assert!(
            other != written || longer == *value,
            "two parts share a hash"
        );
        return;
    }
    assert!(ending != Ending::Hash, "a secret is not hashed: {written}");
    let read = match written {
        "%n" => None,
        "%s%n" => Some(None),
        text => Some(Some(unescaped(text))),
    };
    assert_eq!(read, *value);
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let byte = if byte == b'%' {
            let (digits, after) = rest.split_at(2);
            rest = after;
            let digits = std::str::from_utf8(digits).expect("two digits");
            u8::from_str_radix(digits, 16).expect("two digits")
        } else {
            byte
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).expect("what was escaped is text")
}
