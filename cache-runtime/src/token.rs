//! Tokens: the names of leases, fences and values. Each is used once.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of one lease, fence or value: 128 bits that no other process and no other moment produces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token([u8; 16]);

/// Where the tokens of one cache come from.
///
/// The first half of a token is random for the source (seeded by the operating system), the second is a count, [scattered](scatter).
/// A token can therefore neither be guessed nor come up twice, a cache knows its own, and drawing one costs one atomic addition. A
/// process that was forked, or a machine resumed twice from one image, must make its caches afterwards.
#[derive(Debug)]
pub(crate) struct Tokens {
    source: u64,
    count: AtomicU64,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        Self {
            // `RandomState` takes its keys from the operating system.
            source: RandomState::new().hash_one(std::process::id()),
            count: AtomicU64::new(0),
        }
    }

    pub(crate) fn next(&self) -> Token {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; Token::LEN];
        bytes[..8].copy_from_slice(&self.source.to_be_bytes());
        bytes[8..].copy_from_slice(&scatter(count).to_be_bytes());
        Token(bytes)
    }

    /// Whether a token was drawn here.
    pub(crate) fn drew(&self, token: Token) -> bool {
        token.0.starts_with(&self.source.to_be_bytes())
    }
}

/// Spreads counts over all 64 bits, one to one, so that no two tokens of a source are few bits apart:
///
/// 1. L holds lease 6 of a key, and has loaded. A mutation commits, and its invalidation completes.
/// 2. M takes lease 7. R, who begins now, reads it, and one bit of the answer is flipped on its way: lease 6.
/// 3. L waits for the answer to his fill, so his flight is still there. R joins it and is handed the old value.
///
/// This is the finalizer of `SplitMix64` (G. Steele et al., *Fast splittable pseudorandom number generators*, OOPSLA 2014), in
/// which each bit of the input changes each bit of the output in half of the cases.
const fn scatter(count: u64) -> u64 {
    let count = (count ^ (count >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let count = (count ^ (count >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    count ^ (count >> 31)
}

impl Token {
    /// As two numbers.
    pub(crate) fn halves(self) -> (u64, u64) {
        let whole = u128::from_be_bytes(self.0);
        #[allow(clippy::cast_possible_truncation, reason = "the lower half")]
        let lower = whole as u64;
        ((whole >> 64) as u64, lower)
    }

    /// How many bytes a token takes.
    pub const LEN: usize = 16;

    /// Draws a token that was never used before.
    #[must_use]
    pub fn next() -> Self {
        static PROCESS: LazyLock<Tokens> = LazyLock::new(Tokens::new);
        PROCESS.next()
    }

    /// The token as it stands in the store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Reads a token from the store; `None` unless there are exactly [`Token::LEN`] bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::{Token, Tokens, scatter};

    #[test]
    fn a_source_knows_its_own() {
        let (ours, theirs) = (Tokens::new(), Tokens::new());
        let (a, b) = (ours.next(), theirs.next());
        assert!(ours.drew(a) && theirs.drew(b));
        assert!(!ours.drew(b) && !theirs.drew(a));
        assert_ne!(ours.next(), a);
    }

    #[test]
    fn no_bit_that_flips_makes_another_token() {
        for count in 0..10_000_u64 {
            for bit in 0..64 {
                let apart = scatter(count) ^ scatter(count ^ (1 << bit));
                assert!(apart.count_ones() > 4, "{count}, bit {bit}");
            }
        }
    }

    #[test]
    fn tokens_differ_and_survive_the_store() {
        let (a, b) = (Token::next(), Token::next());
        assert_ne!(a, b);
        assert_eq!(Token::from_slice(a.as_bytes()), Some(a));
        assert_eq!(Token::from_slice(&a.as_bytes()[1..]), None);
    }
}
