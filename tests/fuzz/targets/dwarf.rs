#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| corelet_fuzz::dwarf(data));
