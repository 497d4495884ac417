#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| zpki_fuzz::haproxy::run(bytes));
