//! What is cached: a value that shows by itself whether it is whole, and whose.

use serde::{Deserialize, Serialize};

/// One version of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) key: u64,
    pub(crate) version: u64,
    /// Made of the other two.
    filler: String,
}

impl Entry {
    pub(crate) fn new(key: u64, version: u64) -> Self {
        // Mostly short, now and then longer than what one packet holds.
        let mut random = fastrand::Rng::with_seed(key << 32 ^ version);
        let len = if random.u8(..) < 8 {
            random.usize(2000..6000)
        } else {
            random.usize(10..300)
        };
        let filler = std::iter::repeat_with(|| random.alphanumeric())
            .take(len)
            .collect();
        Self {
            key,
            version,
            filler,
        }
    }

    /// Whether nothing of it was changed on its way.
    pub(crate) fn is_whole(&self) -> bool {
        *self == Self::new(self.key, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_shows() {
        let entry = Entry::new(3, 7);
        assert!(entry.is_whole());
        let another = Entry {
            version: 8,
            ..entry.clone()
        };
        assert!(!another.is_whole());
        let mut filler = entry.filler.clone();
        filler.pop();
        assert!(!Entry { filler, ..entry }.is_whole());
    }
}
