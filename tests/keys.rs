//! Keys are injective: two lists of arguments render to the same key only if they are the same list.

use std::borrow::Cow;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;

use cache_runtime::{CacheKey, Key, KeyPart, KeyWriter};
use proptest::prelude::*;

/// Short texts of the characters that could go wrong, so that near misses are common.
fn text() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        ":", "%", "*", "-", "/", "n", "s", "h", "3A", "25", "{", "}", "\\", "?", "[", "<", ">",
        " ", "\0", "é", "0", "None",
    ]);
    let short = prop::collection::vec(nasty, 0..4).prop_map(|parts| parts.concat());
    prop_oneof![9 => short.clone(), 1 => short.prop_map(|text| text + &"x".repeat(130))]
}

/// A list of arguments, and every way in which a template may put them side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::option_option, reason = "each depth is to be a key of its own")]
struct Arguments {
    a: String,
    b: String,
    c: Option<String>,
    d: Option<Option<String>>,
    e: i64,
}

fn arguments() -> impl Strategy<Value = Arguments> {
    let nested = prop::option::of(prop::option::of(text()));
    (text(), text(), prop::option::of(text()), nested, -3..3_i64)
        .prop_map(|(a, b, c, d, e)| Arguments { a, b, c, d, e })
}

macro_rules! templates {
    ($($name:ident: $template:literal),*) => {
        $(
            #[derive(CacheKey)]
            #[cache_key($template)]
            struct $name { a: String, b: String, c: Option<String>, d: Option<Option<String>>, e: i64 }
        )*

        fn renderings(list: &Arguments) -> Vec<(&'static str, String)> {
            let Arguments { a, b, c, d, e } = list.clone();
            vec![$({
                let (a, b, c, d) = (a.clone(), b.clone(), c.clone(), d.clone());
                ($template, Key::rendered(&$name { a, b, c, d, e }).to_string())
            }),*]
        }
    };
}
templates! {
    Segments: "t:<a>:<b>:<c>:<d>:<e>",
    OneSegment: "t:<a>-<b>/<c>.<d>_<e>",
    Mixed: "t:<a>-<b>:<c>:x<d>-x<e>x",
    Angles: "<<t>>:<e>:<d>:<c>:<b>:<a>",
    Hashed: "t:<a:hash>-<b>:<c:hash>:<d:hash>:<e:hash>"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn two_lists_share_a_key_only_if_they_are_equal(one in arguments(), mut two in arguments(), same in 0..32_u8) {
        // Lists that differ in one argument only are the hard ones.
        if same & 1 == 1 { two.a.clone_from(&one.a); }
        if same & 2 == 2 { two.b.clone_from(&one.b); }
        if same & 4 == 4 { two.c.clone_from(&one.c); }
        if same & 8 == 8 { two.d.clone_from(&one.d); }
        if same & 16 == 16 { two.e = one.e; }
        for ((template, left), (_, right)) in renderings(&one).into_iter().zip(renderings(&two)) {
            prop_assert_eq!(left == right, one == two, "{}: `{}` and `{}`", template, left, right);
        }
    }

    #[test]
    fn a_part_stays_in_its_segment_and_is_no_pattern(list in arguments()) {
        let (_, key) = renderings(&list).remove(0);
        prop_assert_eq!(key.split(':').count(), 6, "{}", key);
        prop_assert!(!key.contains(['*', '?', '[', ']', '{', '}', '\\', ' ', '\0']), "{}", key);
    }
}

/// One value of each type of key part, and what it renders to.
#[test]
fn every_type_of_part_renders() {
    #[derive(KeyPart)]
    struct UserId(u64);
    #[derive(KeyPart)]
    struct Named {
        id: UserId,
    }
    #[derive(KeyPart)]
    enum Region {
        Europe,
        Asia,
    }
    let parts: Vec<(Box<dyn KeyPart>, &str)> = vec![
        (Box::new(7_u8), "7"),
        (
            Box::new(i128::MIN),
            "-170141183460469231731687303715884105728",
        ),
        (Box::new(usize::MAX), "18446744073709551615"),
        (Box::new(NonZero::<u32>::MIN), "1"),
        (Box::new(true), "true"),
        (Box::new('ß'), "ß"),
        (Box::new("a"), "a"),
        (Box::new(Arc::<str>::from("a")), "a"),
        (Box::new(Cow::Borrowed("a")), "a"),
        (Box::new(Box::new(&"a")), "a"),
        (Box::new(Some(1)), "1"),
        (Box::new(None::<u8>), "%n"),
        (Box::new(IpAddr::from([127, 0, 0, 1])), "127.0.0.1"),
        (Box::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])), "%3A%3A1"),
        (Box::new(UserId(7)), "7"),
        (Box::new(Named { id: UserId(8) }), "8"),
        (Box::new(Region::Europe), "Europe"),
        (Box::new(Region::Asia), "Asia"),
        (
            Box::new(uuid::Uuid::from_u128(1)),
            "00000000-0000-0000-0000-000000000001",
        ),
        (
            Box::new(chrono::NaiveDate::from_ymd_opt(2026, 11, 23)),
            "2026-11-23",
        ),
        (
            Box::new(
                chrono::DateTime::parse_from_rfc3339("2026-11-23T01:02:03.5+01:00")
                    .expect("a date"),
            ),
            "2026-11-23T01%3A02%3A03.500+01%3A00",
        ),
        (
            Box::new(time::Date::from_ordinal_date(2026, 1).expect("a date")),
            "2026-01-01",
        ),
        (
            Box::new(time::UtcDateTime::UNIX_EPOCH),
            "1970-01-01%200%3A00%3A00.0%20+00",
        ),
        (Box::new(jiff::civil::date(2026, 11, 23)), "2026-11-23"),
        (
            Box::new(jiff::Timestamp::UNIX_EPOCH),
            "1970-01-01T00%3A00%3A00Z",
        ),
    ];
    for (part, expected) in parts {
        assert_eq!(Key::of("k").part(&*part).as_str(), format!("k:{expected}"));
    }
}

/// A key by hand, as the trait's documentation allows.
#[test]
fn a_key_can_be_written_by_hand() {
    struct ByHand(u64);
    impl CacheKey for ByHand {
        type Admits = cache_runtime::AnyValue;
        fn template(&self) -> Cow<'static, str> {
            "hand:<_>".into()
        }
        fn write_key(&self, key: &mut KeyWriter) {
            key.literal("hand:");
            key.part(&self.0);
        }
    }
    assert_eq!(Key::rendered(&ByHand(3)).as_str(), "hand:3");
}
