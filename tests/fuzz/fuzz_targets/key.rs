//! Any arguments in any template.

#![no_main]

use cache_hostile_tests::key::{self, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (String, Vec<Value>)| key::check(&input.0, &input.1));
