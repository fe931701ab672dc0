//! Large encodings made smaller: LZ4, by `lz4_flex`, whose safe half is pure Rust without `unsafe`.
//!
//! In front of the block stands the length of what it makes, in 4 bytes, little-endian.

use lz4_flex::block::{compress_prepend_size, decompress_into, uncompressed_size};

/// A byte of a block makes no more than this many.
const MAX_RATIO: usize = 255;

/// `None` if that would not be smaller.
pub(crate) fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let block = compress_prepend_size(bytes);
    (block.len() < bytes.len()).then_some(block)
}

/// `None` if it is no block of ours, or makes more than `max_len` bytes. Takes memory for no more than the block can make.
pub(crate) fn decompress(bytes: &[u8], max_len: usize) -> Option<Vec<u8>> {
    let (len, block) = uncompressed_size(bytes).ok()?;
    if len > max_len || len > block.len().saturating_mul(MAX_RATIO) {
        return None;
    }
    let mut made = vec![0; len];
    (decompress_into(block, &mut made).ok()? == len).then_some(made)
}

/// The length of what a block makes.
pub(crate) fn unpacked_len(bytes: &[u8]) -> Option<usize> {
    Some(uncompressed_size(bytes).ok()?.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_block_makes_more_than_the_ratio_says() {
        for len in [100, 1_000, 100_000, 10_000_000] {
            let zeros = vec![0; len];
            let block = compress(&zeros).unwrap_or_default();
            assert_eq!(decompress(&block, len), Some(zeros), "{len}");
            assert_eq!(decompress(&block, len - 1), None, "{len}");
        }
    }

    #[test]
    fn what_is_not_made_smaller_stays() {
        assert_eq!(compress(b"abcdefgh"), None);
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(pattern in prop::collection::vec(any::<u8>(), 1..50), times in 1..50_usize) {
            let bytes = pattern.repeat(times);
            if let Some(block) = compress(&bytes) {
                prop_assert_eq!(decompress(&block, bytes.len()), Some(bytes));
            }
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decompress(&bytes, usize::MAX);
        }
    }
}
