//! A slot as the bytes of one Redis string.
//!
//! | state | bytes |
//! | --- | --- |
//! | empty | no key |
//! | value | `F8`, token, envelope |
//! | lease | `F9`, token |
//! | fence | `FA`, `0` or `1` for tainted, tokens |
//!
//! No UTF-8 text begins with any of the three marks. What another program wrote under our key is therefore told
//! apart from a slot, and counts as empty.

use bytes::{Buf as _, Bytes};

use crate::slot::Reply;
use crate::store::Payload;
use crate::token::Token;

const VALUE: u8 = 0xF8;
const LEASE: u8 = 0xF9;
const FENCE: u8 = 0xFA;

/// The mark and the token in front of a value's envelope.
const PREFIX_LEN: usize = 1 + Token::LEN;

/// What a reader of these bytes is told.
pub(crate) fn read(slot: Vec<u8>) -> Reply<Payload> {
    let state = slot.first().copied();
    let token = slot.get(1..PREFIX_LEN).and_then(Token::from_slice);
    match (state, token, slot.len()) {
        (Some(VALUE), Some(token), _) => {
            // Not `slice`, which would allocate a count of its owners.
            let mut envelope = Bytes::from(slot);
            envelope.advance(PREFIX_LEN);
            Reply::Hit(token, Payload::Sealed(envelope))
        }
        (Some(LEASE), Some(token), PREFIX_LEN) => Reply::Leased(token),
        (Some(FENCE), Some(_), len) if len % Token::LEN == 2 => Reply::Fenced,
        _ => Reply::Miss,
    }
}

/// A value with its mark and token.
pub(super) fn value(token: Token, envelope: &[u8]) -> Vec<u8> {
    let mut slot = Vec::with_capacity(PREFIX_LEN + envelope.len());
    slot.extend_from_slice(&value_prefix(token));
    slot.extend_from_slice(envelope);
    slot
}

/// How a value stored with `token` begins.
pub(super) fn value_prefix(token: Token) -> [u8; PREFIX_LEN] {
    marked(VALUE, token)
}

/// How a lease looks.
pub(super) fn lease(token: Token) -> [u8; PREFIX_LEN] {
    marked(LEASE, token)
}

fn marked(mark: u8, token: Token) -> [u8; PREFIX_LEN] {
    let mut bytes = [mark; PREFIX_LEN];
    bytes[1..].copy_from_slice(token.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let token = Token::next();
        assert!(
            matches!(read(value(token, b"abc")), Reply::Hit(t, Payload::Sealed(b)) if t == token && b == "abc")
        );
        assert!(matches!(read(lease(token).to_vec()), Reply::Leased(t) if t == token));
        let fence = [&[FENCE, b'0'][..], token.as_bytes()].concat();
        assert!(matches!(read(fence), Reply::Fenced));
    }

    #[test]
    fn what_others_wrote_is_a_miss() {
        for foreign in [
            &b""[..],
            b"42",
            b"False",
            b"\xF9short",
            &[FENCE; 19],
            &[LEASE; 18],
            &[VALUE; 16],
        ] {
            assert!(matches!(read(foreign.to_vec()), Reply::Miss), "{foreign:?}");
        }
    }
}
