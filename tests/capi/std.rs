//! A Rust program with `std` beside the C library: compiled by rustc alone and linked with `libcorelet.a`. Were `_start`, a memory
//! function or the panic handler in the library, the two would not link. A panic is caught, by std's handler and not by another.

use std::ffi::{CStr, c_char, c_int, c_void};

#[repr(C)]
struct Pack {
    name: *const c_char,
    bytes: *const c_void,
    len: usize,
    options: *const *const c_char,
    options_len: usize,
    hear: Option<unsafe extern "C" fn(*mut c_void, *const c_char, usize)>,
    context: *mut c_void,
}

#[link(name = "corelet", kind = "static")]
unsafe extern "C" {
    fn corelet_load(pack: *const Pack, handle: *mut *mut c_void, why: *mut c_char, why_len: usize) -> c_int;
}

unsafe extern "C" fn hear(heard: *mut c_void, words: *const c_char, len: usize) {
    // SAFETY: the library gives back the context and so many bytes.
    let (heard, words) =
        unsafe { (&mut *heard.cast::<Vec<u8>>(), std::slice::from_raw_parts(words.cast::<u8>(), len)) };
    heard.extend_from_slice(words);
}

fn main() {
    let mut heard = Vec::<u8>::new();
    let content = b"no pack at all";
    let pack = Pack {
        name: c"mine".as_ptr(),
        bytes: content.as_ptr().cast(),
        len: content.len(),
        options: std::ptr::null(),
        options_len: 0,
        hear: Some(hear),
        context: (&raw mut heard).cast(),
    };
    let mut why = [1 as c_char; 200];
    let mut handle = std::ptr::null_mut();
    // SAFETY: as the header says.
    let code = unsafe { corelet_load(&pack, &mut handle, why.as_mut_ptr(), why.len()) };
    // SAFETY: the library ends it with a NUL.
    let why = unsafe { CStr::from_ptr(why.as_ptr()) }.to_str().unwrap();
    assert_eq!((code, handle.is_null()), (-3, true));
    assert_eq!(format!("corelet-loader: {why}\n").as_bytes(), heard);
    let caught = std::panic::catch_unwind(|| std::hint::black_box::<Option<u8>>(None).unwrap());
    assert!(caught.is_err());
    println!("{why}");
}
