#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| likeness_index::decoders::manifest(bytes));
