//! Any text as a key template.

#![no_main]

use cache_hostile_tests::template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| template::check(text));
