//! The properties, on inputs that are made to hurt.

use cache_hostile_tests::{envelope, key, template};
use proptest::prelude::*;

/// What a decoder would stumble over: announcements of 4 GiB, and nesting in each way that a value can nest.
fn encodings() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop::sample::select(vec![
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff",
        b"\xdc\xff\xff",
        b"\xdc\0\x02",
        b"\x91",
        b"\x92",
        b"\x81\xa4Cons",
        b"\xa3End",
        b"\x81\xa8children\x91",
        b"\x82\xa1t\xa4Node\xa8children\x91",
        b"\x82\xa1t\xa4Node\xa8children\xdd\xff\xff\xff\xff",
        b"\x81\xa1t\xa4Leaf",
        b"\x81\xa4name",
        b"\x81\xa7unknown",
        b"\x90",
        b"\x80",
        b"\xa1a",
        b"\xa0",
        b"\xc0",
        b"\xc1",
        b"\x07",
        b"\xcd\x01\0",
        b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xc4\x02ab",
        b"\xd4\0a",
        b"[",
        b"]",
        b"{\"children\":[",
        b"{\"t\":\"Node\",\"children\":[",
        b"{\"Cons\":",
        b"\"End\"",
        b"{\"a\":",
        b"{\"name\":\"a\\ud800\"}",
        b"}",
        b"1e999",
        b"-0",
        b"170141183460469231731687303715884105728",
        b"null",
        b",",
    ]);
    // Mostly once; sometimes so often that a recursion without a bound overflows.
    let times = prop_oneof![20 => Just(1_usize), 2 => 2..200_usize, 1 => 200..2_000_usize, 1 => Just(20_000)];
    let fragments = prop::collection::vec((fragment, times), 0..6).prop_map(|all| {
        all.into_iter()
            .flat_map(|(f, times)| f.repeat(times))
            .collect()
    });
    let any_bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let slot = (0xF7..=0xFB_u8, any::<bool>(), any_bytes())
        .prop_map(|(mark, flag, rest)| [&[mark, b'0' + u8::from(flag)], &rest[..]].concat());
    // A lease is whole, and nothing else is, with 16 bytes after its mark.
    let lease = (0xF7..=0xFB_u8, any::<[u8; 16]>())
        .prop_map(|(mark, token)| [&[mark], &token[..]].concat());
    prop_oneof![5 => fragments, 1 => any_bytes(), 1 => slot, 1 => lease]
}

fn templates() -> impl Strategy<Value = String> {
    let fragment = prop::sample::select(vec![
        "<a>", "<b.c>", "<r#type>", "<self.0>", "<t:hash>", "<return>", "<", ">", "<<", ">>", "<>",
        ":", "-", "/", ".", "x", "é", "%", "*", " ", "\0", "{", "user", "hash", "_", "<a:hsah>",
    ]);
    prop_oneof![
        2 => nearly_well_formed(),
        1 => prop::collection::vec(fragment, 0..12).prop_map(|all| all.concat()),
        1 => any::<String>(),
    ]
}

/// Segments of parts, with text before, between and after them; now and then with an empty segment, or with none between two.
fn nearly_well_formed() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec!["", "", "user", "<<", "n", "é-"]);
    let part = prop::sample::select(vec!["<a>", "<b.c>", "<self.0>", "<t:hash>"]);
    let delimiter = prop::sample::select(vec!["-", "/", ">>", "-n", "._"]);
    let more = prop::collection::vec((delimiter, part.clone()), 0..3);
    let segment = (text.clone(), part, more, text).prop_map(|(before, first, more, after)| {
        let more: String = more.into_iter().flat_map(<[&str; 2]>::from).collect();
        format!("{before}{first}{more}{after}")
    });
    let separator = prop_oneof![8 => Just(":"), 1 => Just("::"), 1 => Just("")];
    (prop::collection::vec(segment, 1..4), separator)
        .prop_map(|(segments, separator)| segments.join(separator))
}

fn values() -> impl Strategy<Value = Vec<key::Value>> {
    let nasty = prop::sample::select(vec![
        ":", "%", "*", "-", "/", "<", ">", "n", "s", "h", "3A", "25", "%n", "{", "}", "\\", "?",
        "[", " ", "\0", "\u{7f}", "\u{85}", "é", "\u{fffd}", "x",
    ]);
    let short = prop::collection::vec(nasty, 0..5).prop_map(|all| all.concat());
    let text = prop_oneof![
        9 => short.clone(),
        3 => any::<String>(),
        1 => (short, 100..200_usize).prop_map(|(text, times)| text.repeat(times)),
    ];
    prop::collection::vec(
        prop::option::weighted(0.9, prop::option::weighted(0.9, text)),
        1..5,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_bytes_are_a_wrong_value(version: u32, bytes in encodings()) {
        envelope::check(version, &bytes);
    }

    #[test]
    fn no_argument_breaks_out_of_its_part(template in templates(), values in values()) {
        key::check(&template, &values);
    }

    #[test]
    fn no_template_is_misread(template in templates()) {
        template::check(&template);
    }
}
