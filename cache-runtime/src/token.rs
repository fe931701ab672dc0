//! Tokens: the names of leases, fences and values. Each is used once.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of one lease, fence or value: 128 bits that no other process and no other moment produces.
///
/// The first half is random for the process (seeded by the operating system), the second counts. A
/// token can therefore neither be guessed nor come up twice, and drawing one costs one atomic addition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token([u8; 16]);

impl Token {
    /// How many bytes a token takes.
    pub const LEN: usize = 16;

    /// Draws a token that was never used before.
    #[must_use]
    pub fn next() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // `RandomState` takes its keys from the operating system.
        let process = *PROCESS.get_or_init(|| RandomState::new().hash_one(std::process::id()));
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; Self::LEN];
        bytes[..8].copy_from_slice(&process.to_be_bytes());
        bytes[8..].copy_from_slice(&count.to_be_bytes());
        Self(bytes)
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
    use super::Token;

    #[test]
    fn tokens_differ_and_survive_the_store() {
        let (a, b) = (Token::next(), Token::next());
        assert_ne!(a, b);
        assert_eq!(Token::from_slice(a.as_bytes()), Some(a));
        assert_eq!(Token::from_slice(&a.as_bytes()[1..]), None);
    }
}
