#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crossws_fuzz::pair(data));
