//! Our own JSON, by the line or as an array.

#![no_main]

use paperkin::source::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| paperkin_fuzz::read(bytes, Some(Format::Jsonl)));
