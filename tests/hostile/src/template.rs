//! String literals in the place of a key template.

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::LitStr;

use crate::errors::Errors;
use crate::memory::{PLAIN, bounded};
use crate::parser::{Ending, Piece, Placeholder, Template};

/// What must hold of `text` as a key template.
pub fn check(text: &str) {
    // Each character can be a mistake, and each mistake is a sentence with its place.
    match bounded(text.len(), 8 * PLAIN, || parse(text)) {
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a word");
            assert!(errors.iter().all(|error| !error.is_empty()), "{errors:?}");
        }
        Ok(pieces) => {
            let written = write(&pieces);
            // A raw identifier is the only thing that can be written in two ways.
            assert!(
                written == text || text.contains("r#"),
                "read as {written:?}"
            );
            assert_eq!(parse(&written).as_ref(), Ok(&pieces));
            segments_are_whole(&pieces);
            parts_are_delimited(&pieces);
        }
    }
}

/// The pieces of a template, or what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Vec<Piece>, Vec<String>> {
    let mut errors = Errors::default();
    let template = Template::parse(&LitStr::new(text, Span::call_site()), &mut errors);
    match (errors.finish(), template) {
        (Ok(()), Some(template)) => Ok(template.pieces),
        (Ok(()), None) => Err(Vec::new()),
        (Err(errors), _) => {
            let mut messages = Vec::new();
            collect_literals(errors, &mut messages);
            Err(messages)
        }
    }
}

/// The texts of the `compile_error!`s.
fn collect_literals(tokens: TokenStream, texts: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect_literals(group.stream(), texts),
            TokenTree::Literal(_) => {
                let text = syn::parse2::<LitStr>(token.into());
                texts.push(text.expect("a string").value());
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

/// The literal of these pieces.
fn write(pieces: &[Piece]) -> String {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.replace('<', "<<").replace('>', ">>"),
            Piece::Placeholder(part) => match part.ending {
                Ending::Hash => format!("<{}:hash>", part.path()),
                Ending::Segment | Ending::Before(_) => format!("<{}>", part.path()),
            },
        })
        .collect()
}

fn segments_are_whole(pieces: &[Piece]) {
    let mut segments = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => {
                assert!(!text.contains(|c: char| c.is_whitespace() || c.is_control()));
                assert!(!text.contains(['*', '?', '[', ']', '{', '}', '\\', '%']));
                segments.push_str(text);
            }
            Piece::Placeholder(_) => segments.push('x'),
        }
    }
    assert!(segments.split(':').all(|segment| !segment.is_empty()));
}

/// The end of each part can be told: by its length, by the end of the segment, or by a character that it cannot contain.
fn parts_are_delimited(pieces: &[Piece]) {
    for (i, piece) in pieces.iter().enumerate() {
        let Piece::Placeholder(Placeholder { root, ending, .. }) = piece else {
            continue;
        };
        assert!(!root.is_empty());
        let end = match (pieces.get(i + 1), pieces.get(i + 2)) {
            (Some(Piece::Placeholder(_)), _) => panic!("nothing stands between two parts"),
            (Some(Piece::Text(text)), Some(_)) if !text.contains(':') => {
                let delimiter = text.bytes().next().expect("no text is empty");
                assert!(delimiter.is_ascii_punctuation() && delimiter != b'%');
                Ending::Before(delimiter)
            }
            _ => Ending::Segment,
        };
        assert!(
            *ending == Ending::Hash || *ending == end,
            "{ending:?} before {end:?}"
        );
    }
}
