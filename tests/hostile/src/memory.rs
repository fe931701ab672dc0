//! Bounded memory: as much as the input is worth, and not as much as it claims.

/// What a byte is worth in most types: it can stand for a null, and a list of those that grows costs about this much.
pub(crate) const PLAIN: u64 = 512;

/// What a byte is worth in a type that serde reads by way of a buffer: that is copied once for each level that it nests.
pub(crate) const BUFFERED: u64 = 128 * 64;

/// What a byte of an LZ4 block makes.
pub(crate) const LZ4: u64 = 256;

/// For the rest.
const CONSTANT: u64 = 16 * 1024;

/// Runs something over an input of `len` bytes, which must not allocate more than that is worth.
pub(crate) fn bounded<R>(len: usize, worth: u64, run: impl FnOnce() -> R) -> R {
    let mut output = None;
    let allocated = allocation_counter::measure(|| output = Some(run()));
    let bound = CONSTANT + worth * len as u64;
    assert!(
        allocated.bytes_max <= bound,
        "{len} bytes of input took {} bytes of memory",
        allocated.bytes_max
    );
    output.expect("it ran")
}
