//! Key templates: a string literal taken apart into literal text and placeholders.
//!
//! ```text
//! template    = segment (":" segment)*
//! segment     = (text | placeholder)+
//! placeholder = "<" root ("." field)* [":hash"] ">"
//! text        = any character but white space, control characters and `* ? [ ] { } \ %`; `<<` is `<`, `>>` is `>`
//! ```

use syn::LitStr;

use crate::errors::{Errors, meant};

/// A template without mistakes of its own. What its placeholders name is for [`check`](crate::check) to find out.
pub(crate) struct Template {
    pub(crate) literal: LitStr,
    pub(crate) pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text as it stands in the key, colons included.
    Text(String),
    Placeholder(Placeholder),
}

/// `<user.id>`
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Placeholder {
    pub(crate) root: String,
    pub(crate) fields: Vec<String>,
    pub(crate) ending: Ending,
}

/// How a part is written such that its end can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// No other placeholder follows in its segment.
    Segment,
    /// This character ends it, and is escaped inside it.
    Before(u8),
    /// It is hashed, and hashes all have one length.
    Hash,
}

impl Placeholder {
    /// `user.id`, without modifiers: what it stands for.
    pub(crate) fn path(&self) -> String {
        let mut path = self.root.clone();
        for field in &self.fields {
            path.push('.');
            path.push_str(field);
        }
        path
    }
}

impl Template {
    /// Takes the literal apart. All its mistakes are reported; with any, there is no template.
    pub(crate) fn parse(literal: &LitStr, errors: &mut Errors) -> Option<Self> {
        let text = literal.value();
        let before = errors.count();
        let mut report = |message: String| errors.at(literal.span(), message);
        if text.is_empty() {
            report(
                "this key template is empty; write at least one segment, such as `\"settings\"`"
                    .into(),
            );
        }
        let mut pieces = split(&text, &mut report);
        check_segments(&pieces, &mut report);
        delimit(&mut pieces, &mut report);
        (!errors.is_new_since(before)).then(|| Self {
            literal: literal.clone(),
            pieces,
        })
    }

    /// The same, told of as this literal.
    pub(crate) fn written_as(self, literal: &LitStr) -> Self {
        Self {
            literal: literal.clone(),
            ..self
        }
    }

    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(placeholder) => Some(placeholder),
            Piece::Text(_) => None,
        })
    }
}

/// Text and placeholders, in order. A placeholder that cannot be read is reported and stands in the
/// result with an empty root, so that the rules about its neighbours are not reported on top.
fn split(text: &str, report: &mut impl FnMut(String)) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let offset = text.len() - rest.len();
        if let Some(after) = rest.strip_prefix("<<") {
            plain.push('<');
            rest = after;
        } else if let Some(after) = rest.strip_prefix(">>") {
            plain.push('>');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('<') {
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            match after.find(['<', '>']) {
                Some(end) if after[end..].starts_with('>') => {
                    pieces.push(Piece::Placeholder(placeholder(
                        &after[..end],
                        offset,
                        report,
                    )));
                    rest = &after[end + 1..];
                }
                stop => {
                    report(format!(
                        "the `<` at offset {offset} is not closed: write `<name>` for a placeholder, `<<` for the character"
                    ));
                    pieces.push(Piece::Placeholder(unreadable()));
                    rest = stop.map_or("", |stop| &after[stop..]);
                }
            }
        } else {
            match first {
                '>' => report(format!(
                    "the `>` at offset {offset} closes nothing: write `<name>` for a placeholder, `>>` for the character"
                )),
                '*' => report(format!(
                    "`*` at offset {offset} cannot stand in a key template: a template names one key; an invalidation may end with `:*`, for all keys that begin so"
                )),
                _ if first.is_whitespace() || first.is_control() => report(format!(
                    "{} at offset {offset} cannot stand in a key template",
                    name_of_blank(first)
                )),
                '?' | '[' | ']' | '{' | '}' | '\\' | '%' => report(format!(
                    "`{first}` at offset {offset} cannot stand in a key template{}",
                    if first == '{' {
                        ": a placeholder is written `<name>`"
                    } else {
                        ""
                    }
                )),
                _ => {}
            }
            plain.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

fn name_of_blank(blank: char) -> String {
    match blank {
        ' ' => "a space".into(),
        _ if blank.is_whitespace() => format!("white space ({})", blank.escape_default()),
        _ => format!("a control character ({})", blank.escape_default()),
    }
}

const fn unreadable() -> Placeholder {
    Placeholder {
        root: String::new(),
        fields: Vec::new(),
        ending: Ending::Segment,
    }
}

/// Reads what stands between `<` and `>`.
fn placeholder(inside: &str, offset: usize, report: &mut impl FnMut(String)) -> Placeholder {
    if inside.is_empty() {
        report(format!(
            "the placeholder `<>` at offset {offset} is empty: name an argument in it, such as `<id>`"
        ));
        return unreadable();
    }
    let (path, modifier) = match inside.split_once(':') {
        Some((path, modifier)) => (path, Some(modifier)),
        None => (inside, None),
    };
    let ending = match modifier {
        None => Ending::Segment,
        Some("hash") => Ending::Hash,
        Some(unknown) => {
            let hint = meant(unknown, ["hash"]).map_or_else(String::new, |hash| {
                format!("; did you mean `<{path}:{hash}>`?")
            });
            report(format!(
                "unknown modifier `{unknown}` in `<{inside}>`; the only one is `hash`{hint}"
            ));
            return unreadable();
        }
    };
    let mut names = path
        .split('.')
        .map(|name| name.strip_prefix("r#").unwrap_or(name).to_owned());
    let root = names.next().unwrap_or_default();
    let fields: Vec<String> = names.collect();
    if is_name(&root) && fields.iter().all(|field| is_name(field)) {
        return Placeholder {
            root,
            fields,
            ending,
        };
    }
    let trimmed = path.trim();
    if trimmed != path && trimmed.split('.').all(is_name) {
        report(format!(
            "`<{inside}>` has spaces in it; write `<{trimmed}>`"
        ));
    } else {
        report(format!(
            "`<{inside}>` is no placeholder: it holds an argument or a field path of one, such as `<user.id>`; \
             for any other expression, use a typed key (`#[derive(CacheKey)]`)"
        ));
    }
    unreadable()
}

/// An identifier, a keyword, or the number of a tuple's field.
fn is_name(name: &str) -> bool {
    let is_index = name == "0"
        || (!name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit()) && name.len() < 6);
    let is_ident = name
        .chars()
        .next()
        .is_some_and(|c| c == '_' || c.is_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_alphanumeric());
    !name.is_empty() && name != "_" && (is_index || is_ident)
}

/// No segment may be empty.
fn check_segments(pieces: &[Piece], report: &mut impl FnMut(String)) {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else {
        return;
    };
    if matches!(first, Piece::Text(text) if text.starts_with(':')) {
        report(
            "the key template starts with `:`, so its first segment is empty; remove the `:`"
                .into(),
        );
    }
    let ends_with_colon = |piece: &Piece| matches!(piece, Piece::Text(text) if text.ends_with(':'));
    if ends_with_colon(last)
        && (pieces.len() > 1 || !matches!(first, Piece::Text(text) if text == ":"))
    {
        report(
            "the key template ends with `:`, so its last segment is empty; remove the `:`".into(),
        );
    }
    for piece in pieces {
        if let Piece::Text(text) = piece
            && text.contains("::")
        {
            report(format!(
                "the segment between the two `:` of `{text}` is empty; write one `:`"
            ));
        }
    }
}

/// Finds how the end of each placeholder can be told, which needs text between two of one segment.
fn delimit(pieces: &mut [Piece], report: &mut impl FnMut(String)) {
    for i in 0..pieces.len() {
        let (Some(Piece::Placeholder(before)), Some(next)) = (pieces.get(i), pieces.get(i + 1))
        else {
            continue;
        };
        let after = match (next, pieces.get(i + 2)) {
            (Piece::Placeholder(after), _) => {
                if !before.root.is_empty() && !after.root.is_empty() {
                    report(format!(
                        "nothing stands between `<{0}>` and `<{1}>`, so two different calls could share a key; \
                         put a `:` between them: `<{0}>:<{1}>`",
                        before.path(),
                        after.path()
                    ));
                }
                continue;
            }
            (Piece::Text(between), Some(Piece::Placeholder(after))) if !between.contains(':') => {
                after
            }
            _ => continue,
        };
        let Piece::Text(between) = next else { continue };
        let Some(delimiter) = between.bytes().next() else {
            continue;
        };
        if !delimiter.is_ascii_punctuation() || delimiter == b'%' {
            report(format!(
                "`{between}` does not separate `<{0}>` from `<{1}>`, because a value can contain it; \
                 begin it with punctuation, such as `<{0}>-{between}<{1}>`, or put a `:` between them",
                before.path(),
                after.path()
            ));
        } else if before.ending == Ending::Segment
            && let Some(Piece::Placeholder(before)) = pieces.get_mut(i)
        {
            before.ending = Ending::Before(delimiter);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proc_macro2::Span;

    fn parse(text: &str) -> Result<Vec<Piece>, String> {
        let mut errors = Errors::default();
        let template = Template::parse(&LitStr::new(text, Span::call_site()), &mut errors);
        match errors.finish() {
            Ok(()) => Ok(template.map(|t| t.pieces).unwrap_or_default()),
            Err(tokens) => Err(tokens.to_string()),
        }
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.into())
    }

    fn part(path: &str, ending: Ending) -> Piece {
        let mut names = path.split('.').map(str::to_owned);
        Piece::Placeholder(Placeholder {
            root: names.next().unwrap_or_default(),
            fields: names.collect(),
            ending,
        })
    }

    #[test]
    fn text_and_placeholders_are_told_apart() {
        assert_eq!(parse("settings:global"), Ok(vec![text("settings:global")]));
        assert_eq!(
            parse("user:<id>"),
            Ok(vec![text("user:"), part("id", Ending::Segment)])
        );
        assert_eq!(
            parse("<self.tenant>:<pair.0>:<token:hash>"),
            Ok(vec![
                part("self.tenant", Ending::Segment),
                text(":"),
                part("pair.0", Ending::Segment),
                text(":"),
                part("token", Ending::Hash)
            ])
        );
        assert_eq!(parse("<r#type>"), Ok(vec![part("type", Ending::Segment)]));
    }

    #[test]
    fn doubled_angle_brackets_are_text() {
        assert_eq!(parse("a<<b>>"), Ok(vec![text("a<b>")]));
        assert_eq!(
            parse("<<<id>>>"),
            Ok(vec![text("<"), part("id", Ending::Segment), text(">")])
        );
    }

    #[test]
    fn punctuation_ends_a_part_inside_a_segment() {
        assert_eq!(
            parse("<a>-<b>x"),
            Ok(vec![
                part("a", Ending::Before(b'-')),
                text("-"),
                part("b", Ending::Segment),
                text("x")
            ])
        );
        assert_eq!(
            parse("<a:hash>.<b>"),
            Ok(vec![
                part("a", Ending::Hash),
                text("."),
                part("b", Ending::Segment)
            ])
        );
        assert_eq!(
            parse("<a>x:<b>"),
            Ok(vec![
                part("a", Ending::Segment),
                text("x:"),
                part("b", Ending::Segment)
            ])
        );
    }

    #[test]
    fn each_mistake_is_one_error() {
        for (template, says) in [
            ("", "is empty"),
            (":", "starts with"),
            ("a:", "ends with"),
            (":a", "starts with"),
            ("a::b", "is empty"),
            ("a:<>", "is empty"),
            ("a:<id", "is not closed"),
            ("a:<id:<b>", "is not closed"),
            ("a:id>", "closes nothing"),
            ("a:<id:hsah>", "did you mean"),
            ("a:<id:upper>", "the only one is"),
            ("a:<id()>", "is no placeholder"),
            ("a:< id >", "has spaces"),
            ("a:<a.>", "is no placeholder"),
            ("a:<_>", "is no placeholder"),
            ("a:<a><b>", "nothing stands between"),
            ("a:<a>x<b>", "does not separate"),
            ("a:<a>é<b>", "does not separate"),
            ("a b", "a space"),
            ("a\tb", "white space"),
            ("a\u{7}b", "control character"),
            ("a:*", "names one key"),
            ("a:{id}", "is written"),
        ] {
            let Err(error) = parse(template) else {
                unreachable!("{template} was accepted");
            };
            assert!(error.contains(says), "{template}: {error}");
            let count = error.matches("compile_error").count();
            assert_eq!(
                count,
                if template.contains('{') { 2 } else { 1 },
                "{template}: {error}"
            );
        }
    }

    /// Every string over a small alphabet: nothing panics, and whatever is accepted renders without an
    /// empty segment and with every placeholder delimited.
    #[test]
    fn every_short_template_is_accepted_or_refused() {
        const ALPHABET: [&str; 9] = ["<", ">", ":", "a", ".", "<a>", "hash", "é", "%"];
        for length in 0..=5 {
            for mut number in 0..ALPHABET.len().pow(length) {
                let mut template = String::new();
                for _ in 0..length {
                    template.push_str(ALPHABET[number % ALPHABET.len()]);
                    number /= ALPHABET.len();
                }
                let Ok(pieces) = parse(&template) else {
                    continue;
                };
                assert!(!pieces.is_empty(), "{template}");
                let rendered: String = pieces
                    .iter()
                    .map(|piece| match piece {
                        Piece::Text(text) => text.as_str(),
                        Piece::Placeholder(_) => "\u{0}",
                    })
                    .collect();
                assert!(
                    rendered.split(':').all(|segment| !segment.is_empty()),
                    "{template}"
                );
                for segment in rendered.split(':') {
                    assert!(!segment.contains("\u{0}\u{0}"), "{template}");
                }
            }
        }
    }
}
