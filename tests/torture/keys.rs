//! The keys, and those that begin alike.

use serde::{Deserialize, Serialize};

use crate::knobs::{GROUP, KEYS};

/// A key as the functions take it: behind that of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) group: u64,
    pub(crate) key: u64,
}

impl Place {
    pub(crate) const fn of(key: u64) -> Self {
        Self {
            group: key / GROUP,
            key,
        }
    }

    /// All keys of its group.
    pub(crate) fn neighbours(self) -> KeySet {
        (0..KEYS)
            .filter(|key| Self::of(*key).group == self.group)
            .collect()
    }
}

/// The keys of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeySet(u32);

impl KeySet {
    pub(crate) const fn one(key: u64) -> Self {
        Self(1 << key)
    }

    /// Their places, as a function for several takes them.
    pub(crate) fn places(self) -> Vec<Place> {
        self.iter().map(Place::of).collect()
    }

    /// In their order, in which they are locked.
    pub(crate) fn iter(self) -> impl Iterator<Item = u64> {
        (0..KEYS).filter(move |key| self.0 & 1 << key != 0)
    }
}

impl FromIterator<u64> for KeySet {
    fn from_iter<I: IntoIterator<Item = u64>>(keys: I) -> Self {
        Self(keys.into_iter().fold(0, |set, key| set | 1 << key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_neighbours() {
        for key in 0..KEYS {
            let neighbours: Vec<_> = Place::of(key).neighbours().iter().collect();
            assert!(neighbours.contains(&key) && neighbours.len() > 1);
            assert_eq!(
                neighbours,
                neighbours
                    .iter()
                    .copied()
                    .collect::<KeySet>()
                    .iter()
                    .collect::<Vec<_>>()
            );
        }
        assert_eq!(KeySet::one(3).iter().collect::<Vec<_>>(), [3]);
    }
}
