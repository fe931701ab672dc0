//! The bytes of a key while it is written: on the stack, unless it is long.

use std::fmt;
use std::hash::{Hash, Hasher};

/// How many bytes of a key stand on the stack; a longer one moves to the heap.
const INLINE: usize = 128;

/// A key's bytes.
#[derive(Clone)]
pub(crate) struct KeyBuf {
    len: usize,
    inline: [u8; INLINE],
    /// All of it, once it is longer than [`INLINE`]; else empty.
    heap: Vec<u8>,
}

impl KeyBuf {
    /// One that begins with `text`. To begin many with the same, clone one: that is quicker than to write it.
    pub(crate) fn of(text: &[u8]) -> Self {
        let mut buf = Self {
            len: 0,
            inline: [0; INLINE],
            heap: Vec::new(),
        };
        buf.push_all(text);
        buf
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        if self.heap.is_empty() {
            self.inline.get(..self.len).unwrap_or_default()
        } else {
            &self.heap
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// What was written from `start` on.
    pub(crate) fn from(&self, start: usize) -> &[u8] {
        self.as_slice().get(start..).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn push_all(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        match self.inline.get_mut(self.len..end) {
            Some(room) if self.heap.is_empty() => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            _ => self.push_on_heap(bytes),
        }
    }

    #[cold]
    fn push_on_heap(&mut self, bytes: &[u8]) {
        if self.heap.is_empty() {
            self.heap.reserve(2 * INLINE + bytes.len());
            self.heap
                .extend_from_slice(self.inline.get(..self.len).unwrap_or_default());
        }
        self.heap.extend_from_slice(bytes);
    }

    /// Replaces what was written from `start` on.
    pub(crate) fn replace_from(&mut self, start: usize, bytes: &[u8]) {
        let mut whole = self.as_slice().to_vec();
        whole.truncate(start);
        whole.extend_from_slice(bytes);
        *self = Self::of(&whole);
    }
}

impl PartialEq for KeyBuf {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for KeyBuf {}

impl Hash for KeyBuf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for KeyBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_was_written(
            writes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..6),
            start in 0_usize..200,
        ) {
            let mut buf = KeyBuf::of(b"");
            for bytes in &writes {
                buf.push_all(bytes);
            }
            let mut whole = writes.concat();
            prop_assert_eq!(buf.as_slice(), &*whole);
            prop_assert_eq!(&buf, &KeyBuf::of(&whole));
            buf.replace_from(start, b"end");
            whole.truncate(start);
            whole.extend_from_slice(b"end");
            prop_assert_eq!(buf.as_slice(), &*whole);
        }
    }
}
