//! Attaching to many kernel functions at once (`BPF_TRACE_KPROBE_MULTI`, 5.18): by their names, which the kernel looks up.
//!
//! The functions of a pattern are those of tracefs's `available_filter_functions` that fit it, read in pieces. Time: by the length
//! of that file; a name that comes again is found by a table.
//! Source: `bpf_program__attach_kprobe_multi_opts`, libbpf `src/libbpf.c`.

use crate::pattern::{fits, is_pattern};
use crate::sys::{Errno, Fd, Kernel, Open, Sys, slots};
use crate::tracefs::{self, Path};

/// Bytes of the names of one pattern's functions, at most: some ten thousand functions. Of this only what names fill is touched.
const NAMES: usize = 256 << 10;
/// Names that the table has room for, a power of two: more than fit into [`NAMES`] but where most have less than seven letters.
const SLOTS: usize = 1 << 15;
/// Bytes of the file that are read at once; longer than any line: `KSYM_NAME_LEN` and a module's name.
const PIECE: usize = 1024;

/// Attaches `prog` to all functions that fit `pattern`; gives the link.
///
/// # Errors
/// `ENOENT` where none does, `E2BIG` where there are too many.
#[cold]
#[inline(never)]
pub fn attach<K: Kernel>(kernel: &mut K, prog: Fd, attach_type: u32, pattern: &str, ret: bool) -> Sys<Fd> {
    let mut path = Path::new();
    let mut len = path.text(pattern).text("\0").as_str().len();
    let mut names = path.as_str().as_bytes();
    if is_pattern(pattern) {
        let region = kernel.region(NAMES)?;
        let table = kernel.region(SLOTS.saturating_mul(size_of::<u32>()))?;
        let mut found = Names { text: region, len: 0, slots: slots(table, || 0) };
        collect(kernel, pattern.as_bytes(), &mut found)?;
        len = found.len;
        names = found.text;
    }
    let names = names.get(..len).ok_or(Errno::E2BIG)?;
    let count = names.iter().filter(|&&b| b == 0).count();
    let places = kernel.region(count.saturating_mul(size_of::<u64>()))?;
    kernel.link_kprobe_multi(prog, attach_type, ret, names, slots(places, || 0u64))
}

/// Names, each once and with a NUL.
struct Names<'r> {
    text: &'r mut [u8],
    /// Bytes of `text` that are filled.
    len: usize,
    /// By hash, then in the next free place: where in `text` a name is, plus one; 0 where there is none.
    slots: &'r mut [u32],
}

impl Names<'_> {
    #[cold]
    #[inline(never)]
    fn add(&mut self, name: &[u8]) -> Sys<()> {
        // FNV-1a
        let hash = name.iter().fold(0x811c_9dc5u32, |h, &b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        let places = (0..SLOTS).map(|probe| (hash as usize).wrapping_add(probe) & SLOTS.wrapping_sub(1));
        for place in places {
            let slot = self.slots.get_mut(place).ok_or(Errno::E2BIG)?;
            if let Some(start) = slot.checked_sub(1) {
                let known = self.text.get(start as usize..).unwrap_or_default().split(|&b| b == 0).next();
                if known == Some(name) {
                    return Ok(());
                }
                continue;
            }
            let end = self.len.saturating_add(name.len()).saturating_add(1);
            let into = self.text.get_mut(self.len..end).ok_or(Errno::E2BIG)?;
            into.iter_mut().zip(name.iter().chain(&[0])).for_each(|(to, &b)| *to = b);
            *slot = (self.len as u32).saturating_add(1);
            self.len = end;
            return Ok(());
        }
        Err(Errno::E2BIG)
    }
}

/// Adds the names that fit.
#[cold]
fn collect<K: Kernel>(kernel: &mut K, pattern: &[u8], out: &mut Names<'_>) -> Sys<()> {
    let mut path = Path::new();
    path.text(tracefs::root(kernel)?).text("/available_filter_functions");
    let file = kernel.open(path.as_cstr()?, Open::Read)?;
    let collected = lines(kernel, file, pattern, out);
    kernel.close(file);
    collected?;
    if out.len == 0 { Err(Errno::ENOENT) } else { Ok(()) }
}

#[cold]
fn lines<K: Kernel>(kernel: &mut K, file: Fd, pattern: &[u8], out: &mut Names<'_>) -> Sys<()> {
    let mut piece = [0; PIECE];
    let mut held = 0usize;
    loop {
        let n = match kernel.read(file, piece.get_mut(held..).unwrap_or_default()) {
            Ok(0) => return Ok(()),
            Ok(n) => n,
            Err(Errno::EINTR) => continue,
            Err(e) => return Err(e),
        };
        let end = held.saturating_add(n);
        let read = piece.get(..end).unwrap_or_default();
        let whole = read.iter().rposition(|&b| b == b'\n').map_or(0, |at| at.saturating_add(1));
        for line in read.get(..whole).unwrap_or_default().split(|&b| b == b'\n') {
            let name = line.split(|&b| matches!(b, b' ' | b'\t')).next().unwrap_or_default();
            // one that is there twice the kernel finds once
            if !name.is_empty() && fits(name, pattern) {
                out.add(name)?;
            }
        }
        if whole == 0 && end == PIECE {
            return Err(Errno::E2BIG);
        }
        for (to, from) in (whole..end).enumerate() {
            let byte = piece.get(from).copied().unwrap_or_default();
            piece.get_mut(to).into_iter().for_each(|slot| *slot = byte);
        }
        held = end.saturating_sub(whole);
    }
}
