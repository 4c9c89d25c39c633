#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crossws_fuzz::messages_to_calls(data));
