//! Files packed with zip, each read as what it looks like.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| paperkin_fuzz::read_archive(bytes));
