//! The web page of a paper.

#![no_main]

use paperkin::source::Format;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| paperkin_fuzz::read(bytes, Some(Format::Html)));
