//! Any bytes as a slot, as an envelope, and as the encoding of a value.

#![no_main]

use cache_hostile_tests::envelope;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u32, &[u8])| envelope::check(input.0, input.1));
