//! The loader for C: `libcorelet.a`, whose header is `corelet.h`. What each call does is [`corelet_loader::api`]'s to say.
//!
//! The library has no start, no allocator, and no memory functions: whoever links the program has `memcpy`, `memmove`, `memset`,
//! `memcmp`, `bcmp` and `strlen`, by a libc or a page of C (`examples/start.c`). Nothing in it can panic: its handler calls what is
//! nowhere defined.
//!
//! cbindgen makes the header of this file; a test holds both against each other.

#![cfg_attr(feature = "device", no_std)]
#![allow(non_camel_case_types, reason = "names of C")]
#![allow(clippy::result_large_err, reason = "there is no heap for an error's text")]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use core::ffi::{CStr, c_char, c_int, c_void};
use corelet_loader::api::{self, Error, Exit, Loaded, Pack};
use corelet_loader::sys::{Kernel, Linux, MAX_TEXT, slots, unmap};

/// A pack to be loaded. What it points to must stay as it is until corelet_close.
#[repr(C)]
pub struct corelet_pack {
    /// Its path; with bytes, what messages call it.
    pub name: *const c_char,
    /// The pack in memory; null to read the file.
    pub bytes: *const c_void,
    /// How many bytes.
    pub len: usize,
    /// Words of options as corelet-loader --help has them: {"--set", "min_us=10"}. Those about printing do nothing.
    pub options: *const *const c_char,
    /// How many words.
    pub options_len: usize,
    /// Hears all that the loader says, notices included, in pieces of lines that end with no NUL; may be null.
    pub hear: Option<unsafe extern "C" fn(context: *mut c_void, words: *const c_char, len: usize)>,
    /// What hear is given.
    pub context: *mut c_void,
}

/// Text that ends with no NUL.
#[repr(C)]
pub struct corelet_text {
    /// Its first byte.
    pub at: *const c_char,
    /// Its bytes.
    pub len: usize,
}

/// An event, for as long as the call lasts that hands it over.
#[repr(C)]
pub struct corelet_event {
    /// What the program submitted, aligned to 8 bytes; of a perf buffer with up to 7 bytes of padding behind it.
    pub bytes: *const c_void,
    /// How many bytes.
    pub len: usize,
    /// Name of the object that it is of.
    pub object: corelet_text,
    /// Name of the map that it came through.
    pub map: corelet_text,
    /// Name of its type in C; empty where the pack gives it none.
    pub type_name: corelet_text,
    /// For corelet_print.
    pub inner: *const c_void,
}

/// What corelet_poll came to.
#[repr(C)]
pub struct corelet_polled {
    /// Events that were handed over.
    pub events: u64,
    /// Events that the kernel dropped because a perf buffer was full.
    pub lost: u64,
    /// Events that were longer than the pack says, and left out.
    pub too_long: u64,
}

/// A loaded pack.
pub struct corelet {
    loaded: Loaded<'static>,
    why: [u8; MAX_TEXT + 1],
    memory: *mut u8,
}

/// Bytes in front of a handle, for what hears the words.
const HEAR: usize = 64;
/// Bytes of the mapping that a handle lies in.
const HANDLE: usize = HEAR + size_of::<Option<corelet>>();

/// Copies the words of an error to `why`, with a NUL behind them.
fn copy_words(text: &str, why: &mut [u8]) {
    why.fill(0);
    let room = why.len().saturating_sub(1);
    why.iter_mut().take(room).zip(text.bytes()).for_each(|(to, from)| *to = from);
}

/// The words of `CStr` behind a pointer of the caller's; an empty one for null.
///
/// # Safety
/// Null, or the start of text that ends with a NUL and lives as long as `'a`.
unsafe fn text<'a>(at: *const c_char) -> &'a CStr {
    // SAFETY: the caller's promise.
    if at.is_null() { c"" } else { unsafe { CStr::from_ptr(at) } }
}

/// The bytes behind a pointer of the caller's; none for null.
///
/// # Safety
/// Null, or `len` bytes that live as long as `'a`.
unsafe fn bytes<'a>(at: *const c_void, len: usize) -> &'a [u8] {
    // SAFETY: the caller's promise.
    if at.is_null() { &[] } else { unsafe { core::slice::from_raw_parts(at.cast(), len) } }
}

/// The same to write to.
///
/// # Safety
/// Null, or `len` bytes that live as long as `'a` and that nobody else uses.
unsafe fn bytes_mut<'a>(at: *mut c_void, len: usize) -> &'a mut [u8] {
    // SAFETY: the caller's promise.
    if at.is_null() { &mut [] } else { unsafe { core::slice::from_raw_parts_mut(at.cast(), len) } }
}

impl corelet {
    /// The number of a call that failed, whose words are kept.
    fn failed(&mut self, error: Error) -> c_int {
        copy_words(error.text(), &mut self.why);
        number(error.kind())
    }

    fn done(&mut self, done: api::Result<c_int>) -> c_int {
        done.unwrap_or_else(|error| self.failed(error))
    }
}

fn number(kind: Exit) -> c_int {
    c_int::from(kind as u8).wrapping_neg()
}

/// Loads a pack's maps and programs, and attaches nothing. Gives 0 and the handle, or the negative of corelet-loader's exit code: -1
/// this kernel cannot run the pack; -2 a wrong option; -3 no pack, or a damaged one; -4 the machine lacks a permission, a file
/// system or an option; -5 out of memory or busy. Then nothing is left loaded, and the words are in why, cut to fit, with a NUL.
///
/// Takes about 32 KiB of stack.
///
/// # Safety
/// Of the pack as it says; why has why_len bytes, or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_load(
    pack: *const corelet_pack,
    handle: *mut *mut corelet,
    why: *mut c_char,
    why_len: usize,
) -> c_int {
    // SAFETY: the caller's promises, passed on.
    let (pack, why) = unsafe { (&*pack, bytes_mut(why.cast(), why_len)) };
    let Ok(region) = Linux.region(HANDLE) else {
        copy_words("memory: ENOMEM", why);
        return number(Exit::Again);
    };
    let memory = region.as_mut_ptr();
    // SAFETY: the caller's promises, passed on; what lies in the region is used until the handle is closed.
    match unsafe { load(pack, region) } {
        Ok(loaded) => {
            // SAFETY: the handle's place, behind what hears.
            unsafe { handle.write(loaded) };
            0
        }
        Err(error) => {
            copy_words(error.text(), why);
            // SAFETY: mapped above, and what was put there was not handed out.
            unsafe { unmap(memory, HANDLE) };
            number(error.kind())
        }
    }
}

/// Loads into a handle in `region`.
///
/// # Safety
/// As of [`corelet_load`].
unsafe fn load(pack: &corelet_pack, region: &'static mut [u8]) -> api::Result<*mut corelet> {
    let memory = region.as_mut_ptr();
    let (first, rest) = region.split_at_mut_checked(HEAR).unwrap_or_default();
    let context = pack.context;
    let hear = pack.hear.and_then(|call| {
        // SAFETY: the caller's own function, as it wants to be called.
        let hear = move |words: &[u8]| unsafe { call(context, words.as_ptr().cast(), words.len()) };
        slots(first, || hear).first_mut().map(|hear| hear as api::Hear<'static>)
    });
    // SAFETY: the caller's promise.
    let (name, content) = unsafe { (text(pack.name), bytes(pack.bytes, pack.len)) };
    let source = if pack.bytes.is_null() { Pack::at(name) } else { Pack::of(name, content) };
    let mut words = [c""; MAX_WORDS];
    let count = if pack.options.is_null() { 0 } else { pack.options_len };
    for (i, word) in words.iter_mut().take(count).enumerate() {
        // SAFETY: there are so many words.
        *word = unsafe { text(*pack.options.add(i)) };
    }
    // one more than are taken is refused
    let loaded = Loaded::load(source, words.get(..count).unwrap_or(&words), hear)?;
    let handle = corelet { loaded, why: [0; MAX_TEXT + 1], memory };
    let mut place = slots(rest, || None).iter_mut();
    Ok(place.next().map_or(core::ptr::null_mut(), |place| core::ptr::from_mut(place.insert(handle))))
}

/// One more word than [`Loaded::load`] takes.
const MAX_WORDS: usize = api::MAX_WORDS + 1;

/// Gives everything back: attachments, programs, maps, memory. Null is nothing to close.
///
/// # Safety
/// A handle of corelet_load that is used no more, or null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_close(handle: *mut corelet) {
    if !handle.is_null() {
        // SAFETY: the caller's promise.
        let memory = unsafe { (*handle).memory };
        // SAFETY: it was written by `load`, and nobody has it any more.
        unsafe { handle.drop_in_place() };
        // SAFETY: the mapping that it lay in.
        unsafe { unmap(memory, HANDLE) };
    }
}

/// The words of the last call that failed, of one or more lines, with a NUL; until the next call.
///
/// # Safety
/// A handle of corelet_load.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_why(handle: *const corelet) -> *const c_char {
    // SAFETY: the caller's promise.
    unsafe { &raw const (*handle).why }.cast()
}

/// Attaches all programs, after the buffers of events are open. 0, or as corelet_load; then nothing is attached.
///
/// # Safety
/// A handle of corelet_load.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_attach(handle: *mut corelet) -> c_int {
    // SAFETY: the caller's promise.
    let handle = unsafe { &mut *handle };
    let done = handle.loaded.attach();
    handle.done(done.map(|()| 0))
}

/// Detaches all programs. They and their maps stay loaded.
///
/// # Safety
/// A handle of corelet_load.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_detach(handle: *mut corelet) {
    // SAFETY: the caller's promise.
    unsafe { &mut *handle }.loaded.detach();
}

/// The descriptor of a loaded program, which corelet_close closes; negative as of corelet_load for a name that has none.
///
/// # Safety
/// A handle of corelet_load; a name with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_program(handle: *mut corelet, name: *const c_char) -> c_int {
    // SAFETY: the caller's promises.
    let (handle, name) = unsafe { (&mut *handle, text(name)) };
    let done = handle.loaded.program(name.to_str().unwrap_or(""));
    handle.done(done.map(|fd| fd.0))
}

/// The descriptor of a map, which corelet_close closes, and through key_len and value_len, which may be null, the bytes of its keys
/// and values: of a per-CPU map the value, rounded up to 8 bytes, for each possible CPU. Negative as of corelet_load for a name that
/// has none. OBJECT/NAME is the map of one object; .bss, .data and .rodata are the variables.
///
/// # Safety
/// A handle of corelet_load; a name with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_map(
    handle: *mut corelet,
    name: *const c_char,
    key_len: *mut usize,
    value_len: *mut usize,
) -> c_int {
    // SAFETY: the caller's promises.
    let (handle, name) = unsafe { (&mut *handle, text(name)) };
    let done = handle.loaded.map(name.to_str().unwrap_or("")).map(|map| {
        for (place, len) in [(key_len, map.key_len()), (value_len, map.value_len())] {
            if !place.is_null() {
                // SAFETY: the caller's promise.
                unsafe { place.write(len) };
            }
        }
        map.fd().0
    });
    handle.done(done)
}

/// Does something to a map.
///
/// # Safety
/// A handle of corelet_load; a name with a NUL.
unsafe fn with_map(
    handle: *mut corelet,
    name: *const c_char,
    then: impl FnOnce(&mut api::Map<'_, 'static>) -> api::Result<bool>,
) -> c_int {
    // SAFETY: the caller's promises.
    let (handle, name) = unsafe { (&mut *handle, text(name)) };
    let done = handle.loaded.map(name.to_str().unwrap_or("")).and_then(|mut map| then(&mut map));
    handle.done(done.map(c_int::from))
}

/// Reads the value of a key: 1, or 0 where there is no such entry; negative as of corelet_load, also for lengths that are not the
/// map's.
///
/// # Safety
/// A handle of corelet_load; a name with a NUL; so many bytes at key and value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_lookup(
    handle: *mut corelet,
    map: *const c_char,
    key: *const c_void,
    key_len: usize,
    value: *mut c_void,
    value_len: usize,
) -> c_int {
    // SAFETY: the caller's promises.
    let (key, value) = unsafe { (bytes(key, key_len), bytes_mut(value, value_len)) };
    // SAFETY: the caller's promises.
    unsafe { with_map(handle, map, |map| map.lookup(key, value)) }
}

/// Sets the value of a key, with a new entry where there is none: 0, or negative as of corelet_lookup.
///
/// # Safety
/// As of corelet_lookup.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_update(
    handle: *mut corelet,
    map: *const c_char,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
) -> c_int {
    // SAFETY: the caller's promises.
    let (key, value) = unsafe { (bytes(key, key_len), bytes(value, value_len)) };
    // SAFETY: the caller's promises.
    unsafe { with_map(handle, map, |map| map.update(key, value).map(|()| false)) }
}

/// Removes an entry: 1, or 0 where there was none; negative as of corelet_lookup.
///
/// # Safety
/// As of corelet_lookup.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_delete(
    handle: *mut corelet,
    map: *const c_char,
    key: *const c_void,
    key_len: usize,
) -> c_int {
    // SAFETY: the caller's promises.
    let key = unsafe { bytes(key, key_len) };
    // SAFETY: the caller's promises.
    unsafe { with_map(handle, map, |map| map.delete(key)) }
}

/// Writes to next the key behind key, the first one where key is null: 1, or 0 behind the last; negative as of corelet_lookup.
///
/// # Safety
/// As of corelet_lookup, with key_len bytes at next too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_next_key(
    handle: *mut corelet,
    map: *const c_char,
    key: *const c_void,
    next: *mut c_void,
    key_len: usize,
) -> c_int {
    // SAFETY: the caller's promises.
    let (before, next) = unsafe { (bytes(key, key_len), bytes_mut(next, key_len)) };
    let key = if key.is_null() { None } else { Some(before) };
    // SAFETY: the caller's promises.
    unsafe { with_map(handle, map, |map| map.next_key(key, next)) }
}

/// Reads a variable of the programs, of len bytes: 0, or negative as of corelet_load, also for another length than it has.
///
/// # Safety
/// A handle of corelet_load; a name with a NUL; so many bytes at value.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_read(
    handle: *mut corelet,
    variable: *const c_char,
    value: *mut c_void,
    len: usize,
) -> c_int {
    // SAFETY: the caller's promises.
    let (handle, name, value) = unsafe { (&mut *handle, text(variable), bytes_mut(value, len)) };
    let done = handle.loaded.global(name.to_str().unwrap_or("")).and_then(|mut global| global.read(value));
    handle.done(done.map(|()| 0))
}

/// Sets a variable; a constant is set by the option --set, before it is loaded. As of corelet_read.
///
/// # Safety
/// As of corelet_read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_write(
    handle: *mut corelet,
    variable: *const c_char,
    value: *const c_void,
    len: usize,
) -> c_int {
    // SAFETY: the caller's promises.
    let (handle, name, value) = unsafe { (&mut *handle, text(variable), bytes(value, len)) };
    let done = handle.loaded.global(name.to_str().unwrap_or("")).and_then(|mut global| global.write(value));
    handle.done(done.map(|()| 0))
}

/// What becomes readable when there are events, for a poll(2) of your own; -1 before corelet_attach.
///
/// # Safety
/// A handle of corelet_load.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_epoll(handle: *const corelet) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { &*handle }.loaded.epoll().map_or(-1, |fd| fd.0)
}

fn given(text: &str) -> corelet_text {
    corelet_text { at: text.as_ptr().cast(), len: text.len() }
}

/// Waits up to timeout_ms milliseconds, for ever where that is negative, until there are events or a signal comes; hands the events
/// that are there then to each. 0, or negative as of corelet_load; polled may be null.
///
/// # Safety
/// A handle of corelet_load, which each does not use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_poll(
    handle: *mut corelet,
    timeout_ms: c_int,
    each: Option<unsafe extern "C" fn(context: *mut c_void, event: *const corelet_event)>,
    context: *mut c_void,
    polled: *mut corelet_polled,
) -> c_int {
    // SAFETY: the caller's promise.
    let handle = unsafe { &mut *handle };
    let done = handle.loaded.poll(u32::try_from(timeout_ms).ok(), &mut |event| {
        let (at, len) = (event.bytes.as_ptr().cast(), event.bytes.len());
        let [object, map, type_name] = [event.object(), event.map(), event.type_name()].map(given);
        let inner = core::ptr::from_ref(event).cast();
        let event = corelet_event { bytes: at, len, object, map, type_name, inner };
        if let Some(each) = each {
            // SAFETY: the caller's own function, as it wants to be called.
            unsafe { each(context, &raw const event) };
        }
    });
    let done = done.map(|sum| {
        if !polled.is_null() {
            let sum = corelet_polled { events: sum.events, lost: sum.lost, too_long: sum.too_long };
            // SAFETY: the caller's promise.
            unsafe { polled.write(sum) };
        }
        0
    });
    handle.done(done)
}

/// Writes an event to line as corelet-loader prints it, as one object of JSON where json is not 0, without a line's end and without
/// a NUL; gives the bytes written, at most size. As text a number may take thrice its bytes.
///
/// # Safety
/// An event that corelet_poll hands over, within that call; size bytes at line.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corelet_print(
    event: *const corelet_event,
    json: c_int,
    line: *mut c_char,
    size: usize,
) -> usize {
    // SAFETY: the caller's promises: it is the event that corelet_poll put there.
    let (event, line) = unsafe { (&*(*event).inner.cast::<api::Event<'_>>(), bytes_mut(line.cast(), size)) };
    event.print(if json == 0 { api::Form::Text } else { api::Form::Json }, line).len()
}

#[cfg(feature = "device")]
mod rt {
    unsafe extern "C" {
        fn corelet_a_panic_is_possible() -> !;
    }

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        // SAFETY: it is never called, as it does not exist: the library would not link.
        unsafe { corelet_a_panic_is_possible() }
    }
}
