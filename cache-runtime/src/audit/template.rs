//! Templates as sets of keys: whether two have a key in common, and how near they are to each other in writing.

/// A key template, taken apart.
///
/// Two are equal if they make the same keys of the same arguments: what their placeholders are called does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Vec<Piece>>,
    /// It ends with `*`, and so stands for every key that begins like it.
    is_pattern: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// Any text, the empty one included; or a hash, which stands in the place of a long text.
    Part {
        /// What cannot stand in it, because it ends it.
        delimiter: Option<char>,
    },
    /// A part that is always hashed.
    Hash,
}

impl Template {
    /// Takes apart what the macros have accepted.
    pub(crate) fn parse(text: &str) -> Self {
        let (text, is_pattern) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        let mut segments = vec![Vec::new()];
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let mut length = first.len_utf8();
            let doubled = rest.starts_with("<<") || rest.starts_with(">>");
            let piece = match rest.find('>') {
                _ if doubled => {
                    length = 2;
                    Piece::Char(first)
                }
                Some(end) if first == '<' => {
                    length = end + 1;
                    if rest[..end].ends_with(":hash") {
                        Piece::Hash
                    } else {
                        Piece::Part { delimiter: None }
                    }
                }
                _ => Piece::Char(first),
            };
            rest = &rest[length..];
            match (piece, segments.last_mut()) {
                (Piece::Char(':'), _) => segments.push(Vec::new()),
                (piece, Some(segment)) => segment.push(piece),
                (_, None) => {}
            }
        }
        for segment in &mut segments {
            delimit(segment);
        }
        Self {
            segments,
            is_pattern,
        }
    }

    /// What stands for one key, as it is rendered.
    pub(crate) fn of_key(key: &str) -> Self {
        let segment = |mut rest: &str| {
            let mut pieces = Vec::new();
            while let Some(first) = rest.chars().next() {
                // No literal has a `%` in it, and in a part it is escaped.
                let hash = rest.strip_prefix("%h").and_then(|rest| rest.get(32..));
                (rest, ()) = match hash {
                    Some(rest) => (rest, pieces.push(Piece::Hash)),
                    None => (&rest[first.len_utf8()..], pieces.push(Piece::Char(first))),
                };
            }
            pieces
        };
        Self {
            segments: key.split(':').map(segment).collect(),
            is_pattern: false,
        }
    }

    /// Whether some key is of both.
    ///
    /// A part cannot leave its segment, so this is decided for each pair of segments by itself. What types the parts have is not
    /// known: a number is taken for a text.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (short, long) = if self.segments.len() <= other.segments.len() {
            (self, other)
        } else {
            (other, self)
        };
        if short.segments.len() < long.segments.len() && !short.is_pattern {
            return false;
        }
        short
            .segments
            .iter()
            .zip(&long.segments)
            .enumerate()
            .all(|(at, (a, b))| {
                let is_open =
                    |template: &Self| template.is_pattern && at + 1 == template.segments.len();
                common(&opened(a, is_open(short)), &opened(b, is_open(long)))
            })
    }

    /// How much of its keys it says itself: characters, then hashes. Of templates that may have made a key, the one that says most is the
    /// likeliest.
    pub(crate) fn said(&self) -> (usize, usize) {
        let pieces = || self.segments.iter().flatten();
        let chars = pieces().filter(|piece| matches!(piece, Piece::Char(_)));
        let hashes = pieces().filter(|piece| matches!(piece, Piece::Hash));
        (chars.count(), hashes.count())
    }

    /// The one of `known` that this was probably meant to be.
    pub(super) fn meant<'t>(&self, known: impl IntoIterator<Item = &'t Self>) -> Option<&'t Self> {
        let written = self.sketch();
        let tolerated = (written.len().max(3) / 3).min(3);
        let (distance, nearest) = known
            .into_iter()
            .map(|other| {
                let distance = strsim::generic_damerau_levenshtein(&written, &other.sketch());
                (distance, other)
            })
            .min_by_key(|(distance, _)| *distance)?;
        (distance <= tolerated).then_some(nearest)
    }

    /// The text, with one character in the place of each part.
    fn sketch(&self) -> Vec<char> {
        let mut sketch = Vec::new();
        for (i, segment) in self.segments.iter().enumerate() {
            if i > 0 {
                sketch.push(':');
            }
            sketch.extend(segment.iter().map(|piece| match piece {
                Piece::Char(text) => *text,
                Piece::Part { .. } => '\u{0}',
                Piece::Hash => '\u{1}',
            }));
        }
        if self.is_pattern {
            sketch.push('*');
        }
        sketch
    }
}

/// Finds the character that ends each part which another follows in its segment.
fn delimit(segment: &mut [Piece]) {
    let is_char = |piece: &Piece| matches!(piece, Piece::Char(_));
    for at in 0..segment.len() {
        let followed = segment[at + 1..].iter().any(|piece| !is_char(piece));
        let next = segment.get(at + 1).copied();
        if let (Piece::Part { delimiter }, Some(Piece::Char(next)), true) =
            (&mut segment[at], next, followed)
        {
            *delimiter = Some(next);
        }
    }
}

/// A segment, and after it, if it is the last of a pattern, anything.
fn opened(segment: &[Piece], is_open: bool) -> Vec<Piece> {
    let rest = is_open.then_some(Piece::Part { delimiter: None });
    segment.iter().copied().chain(rest).collect()
}

/// A place in a segment: how many pieces are behind, and whether the part that is next has begun with a text, so that it is no hash.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    at: usize,
    has_begun: bool,
}

impl Place {
    const fn next(self) -> Self {
        Self {
            at: self.at + 1,
            has_begun: false,
        }
    }

    /// Where `segment` can be after the character `text`.
    fn after_char(self, segment: &[Piece], text: char) -> Option<Self> {
        match segment.get(self.at)? {
            Piece::Char(next) => (*next == text).then(|| self.next()),
            Piece::Part { delimiter } => (*delimiter != Some(text)).then_some(Self {
                has_begun: true,
                ..self
            }),
            Piece::Hash => None,
        }
    }

    /// Where `segment` can be after a hash.
    fn after_hash(self, segment: &[Piece]) -> Option<Self> {
        match segment.get(self.at)? {
            Piece::Hash => Some(self.next()),
            Piece::Part { .. } => (!self.has_begun).then(|| self.next()),
            Piece::Char(_) => None,
        }
    }

    /// Where `segment` can be without reading on: a part may end here.
    fn after_nothing(self, segment: &[Piece]) -> Option<Self> {
        matches!(segment.get(self.at)?, Piece::Part { .. }).then(|| self.next())
    }
}

/// Whether some text is of both segments: a walk through both at once, which reads literal characters and hashes. Two parts that
/// stand side by side need not be walked, because both can be empty.
fn common(a: &[Piece], b: &[Piece]) -> bool {
    let start = Place {
        at: 0,
        has_begun: false,
    };
    let mut seen = vec![(start, start)];
    let mut next = 0;
    while let Some(&(at_a, at_b)) = seen.get(next) {
        next += 1;
        if at_a.at == a.len() && at_b.at == b.len() {
            return true;
        }
        let literal = |segment: &[Piece], place: Place| match segment.get(place.at) {
            Some(Piece::Char(text)) => Some(*text),
            _ => None,
        };
        let mut steps = vec![
            at_a.after_nothing(a).map(|at_a| (at_a, at_b)),
            at_b.after_nothing(b).map(|at_b| (at_a, at_b)),
            at_a.after_hash(a).zip(at_b.after_hash(b)),
        ];
        for text in [literal(a, at_a), literal(b, at_b)].into_iter().flatten() {
            steps.push(at_a.after_char(a, text).zip(at_b.after_char(b, text)));
        }
        for step in steps.into_iter().flatten() {
            if !seen.contains(&step) {
                seen.push(step);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, KeyWriter};
    use proptest::prelude::*;

    fn overlap(a: &str, b: &str) -> bool {
        let (a, b) = (Template::parse(a), Template::parse(b));
        let found = a.overlaps(&b);
        assert_eq!(found, b.overlaps(&a), "it has no direction");
        found
    }

    #[test]
    fn names_of_placeholders_do_not_matter_and_all_else_does() {
        let same = |a, b| Template::parse(a) == Template::parse(b);
        assert!(same("user:<id>", "user:<user.id>"));
        assert!(!same("user:<id>", "user:<id:hash>"));
        assert!(!same("user:<id>", "users:<id>"));
        assert!(!same("a:<x>:<y>", "a:<x>"));
        assert!(!same("user:<<id>>", "user:<id>"));
        assert!(!same("user:<id>", "user:*"));
    }

    #[test]
    fn templates_that_have_a_key_in_common() {
        for (a, b) in [
            ("user:<id>", "user:<id>"),
            ("user:<id>", "user:me"),
            ("user:<id>", "<kind>:me"),
            ("<a>:<b>", "user:me"),
            ("user:<id>", "user:u<id>"),
            ("user:a<id>", "user:<id>z"),
            ("day:<y>-<m>", "day:<date>"),
            ("day:<y>-<m>", "day:2026-11-23"),
            ("day:<y>-<m>", "day:<a>.<b>"),
            ("a:<x>", "a:<<b>>"),
            // An empty part.
            ("a:x<b>", "a:x"),
            // A text of more than 128 bytes is hashed, too.
            ("token:<a>", "token:<a:hash>"),
            ("token:<a>-<b>", "token:<a:hash>-<b:hash>"),
            ("token:<a:hash>-<b>", "token:<a>-x"),
            // Patterns.
            ("user:*", "user:<id>"),
            ("user:*", "user:<id>:posts"),
            ("user:4*", "user:<id>"),
            ("user:<id>:*", "user:<id>:posts:<n>"),
            ("user:*", "user:<id>:*"),
        ] {
            assert!(overlap(a, b), "{a} {b}");
        }
    }

    #[test]
    fn templates_that_have_none() {
        for (a, b) in [
            ("user:<id>", "users:<id>"),
            ("user:<id>", "user"),
            ("user:<id>", "user:<id>:posts"),
            ("user:<id>", "session:<id>"),
            ("user:me", "user:you"),
            ("user:a<id>", "user:b<id>"),
            ("user:<id>a", "user:<id>b"),
            ("a:<x>:c", "a:<x>:d"),
            ("day:<y>-<m>", "day:today"),
            ("day:<y>-<m>", "day:<m>:<y>"),
            // A hash is `%h…`, and no literal has a `%` in it.
            ("token:<a:hash>", "token:me"),
            ("token:<a:hash>", "token:x<a>"),
            ("token:<a:hash>", "token:<a>-<b>"),
            // The first `-` ends the first part.
            ("a:<x>-<y:hash>", "a:1-2-<y:hash>"),
            ("users:*", "user:<id>"),
            ("user:<id>:*", "user:<id>"),
            ("user:me:*", "user:you:<n>"),
        ] {
            assert!(!overlap(a, b), "{a} {b}");
        }
    }

    #[test]
    fn a_key_is_of_the_templates_that_render_to_it() {
        let hash = "%h0123456789abcdef0123456789abcdef";
        for (template, key, is_of) in [
            ("user:<id>", "user:7", true),
            ("user:<id>", "user:", true),
            ("user:<id>", "user:7:posts", false),
            ("user:<id>", "users:7", false),
            ("token:<a:hash>", &format!("token:{hash}"), true),
            ("token:<a>", &format!("token:{hash}"), true),
            ("token:<a:hash>", "token:plain", false),
            ("day:<y>-<m>", "day:2026-11", true),
            ("day:<y>-<m>", "day:today", false),
            ("settings:global", "settings:global", true),
            ("user:<id>", "user:%3Cb%3E", true),
        ] {
            let found = Template::parse(template).overlaps(&Template::of_key(key));
            assert_eq!(found, is_of, "{template} {key}");
        }
    }

    #[test]
    fn a_misspelt_template_is_recognised_and_a_different_one_is_not() {
        let known = ["user:<id>", "dashboard:<user_id>:<date>", "settings:global"];
        let meant = |text: &str| {
            let templates = known.map(Template::parse);
            let meant = Template::parse(text).meant(&templates).cloned()?;
            known
                .iter()
                .copied()
                .find(|text| Template::parse(text) == meant)
        };
        assert_eq!(meant("usr:<user_id>"), Some("user:<id>"));
        assert_eq!(meant("users:<id>"), Some("user:<id>"));
        assert_eq!(meant("user:<id:hash>"), Some("user:<id>"));
        assert_eq!(
            meant("dashboard:<user_id>"),
            Some("dashboard:<user_id>:<date>")
        );
        assert_eq!(meant("setings:global"), Some("settings:global"));
        assert_eq!(meant("orders:<id>"), None);
        assert_eq!(meant("settings:<region>"), None);
    }

    /// A template of few characters, so that keys in common are common, and what it renders to for two texts.
    fn template() -> impl Strategy<Value = String> {
        let segment = prop::sample::select(vec![
            "a",
            "ab",
            "b",
            "<x>",
            "<y>",
            "a<x>",
            "<x>b",
            "<x>-<y>",
            "a-<x>",
            "<x>-b",
            "<x:hash>",
            "<x:hash>-<y>",
            "a-b",
            "<x>-<y:hash>",
            "<<x>>",
        ]);
        prop::collection::vec(segment, 1..3).prop_map(|segments| segments.join(":"))
    }

    /// Renders as the macros do.
    fn render(template: &str, parts: &[String]) -> String {
        let mut parts = parts.iter().cycle();
        let mut writer = KeyWriter::new(b"");
        for (i, segment) in Template::parse(template).segments.iter().enumerate() {
            if i > 0 {
                writer.literal(":");
            }
            for piece in segment {
                match piece {
                    Piece::Char(text) => writer.literal(text.encode_utf8(&mut [0; 4])),
                    Piece::Hash => writer.part_hashed(&parts.next()),
                    Piece::Part { delimiter: None } => writer.part(&parts.next()),
                    Piece::Part {
                        delimiter: Some(delimiter),
                    } => writer.part_before(&parts.next(), u8::try_from(*delimiter).unwrap_or(0)),
                }
            }
        }
        String::from_utf8_lossy(writer.as_bytes()).into_owned()
    }

    fn parts() -> impl Strategy<Value = Vec<String>> {
        let text = prop::sample::select(vec!["", "a", "b", "ab", "-", "a-b", "<x>", ":", "%"]);
        let text = prop_oneof![8 => text.prop_map(str::to_owned), 1 => Just("a".repeat(200))];
        prop::collection::vec(text, 4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Keys that are equal are of templates that overlap: nothing is overlooked.
        #[test]
        fn what_renders_to_one_key_overlaps(
            a in template(), b in template(), of_a in parts(), of_b in parts(),
        ) {
            if render(&a, &of_a) == render(&b, &of_b) {
                prop_assert!(overlap(&a, &b), "{a} and {b} make {}", render(&a, &of_a));
            }
        }
    }

    /// Templates that overlap have a common key, which a search over short texts finds: nothing is made up.
    #[test]
    fn what_overlaps_renders_to_one_key() {
        let long = "a".repeat(200);
        let texts = [
            "",
            "a",
            "b",
            "x",
            "ab",
            "-",
            "a-",
            "-a",
            "a-b",
            "-b",
            "<x>",
            long.as_str(),
        ];
        let lists = || {
            texts.iter().flat_map(|one| {
                texts
                    .iter()
                    .map(|two| vec![(*one).to_owned(), (*two).to_owned()])
            })
        };
        let segments = [
            "a",
            "ab",
            "b",
            "<x>",
            "a<x>",
            "<x>b",
            "<x>-<y>",
            "a-<x>",
            "<x>-b",
            "<x:hash>",
            "a-b",
            "<x:hash>-<y>",
            "<x>-<y:hash>",
            "<<x>>",
        ];
        for a in segments {
            let of_a: Vec<String> = lists().map(|parts| render(a, &parts)).collect();
            for b in segments {
                let is_common = lists().any(|parts| of_a.contains(&render(b, &parts)));
                assert_eq!(overlap(a, b), is_common, "{a} {b}");
            }
        }
    }

    #[test]
    fn keys_without_macros_are_templates_too() {
        let key = Key::of("user").part(&1).part_hashed("x");
        let template = crate::CacheKey::template(&key).into_owned();
        assert_eq!(
            Template::parse(&template),
            Template::parse("user:<a>:<b:hash>")
        );
    }
}
