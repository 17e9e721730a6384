//! `union bpf_attr` and `struct perf_event_attr` as arrays of words. Offsets: `include/uapi/linux/bpf.h` and
//! `include/uapi/linux/perf_event.h` (kernel 6.12); a kernel takes a longer attribute than it knows while the rest is zero.

use super::{LinkSpec, MapSpec, MultiSpec, PerfSpec, ProgSpec};

/// Commands of `bpf(2)`.
pub(super) mod cmd {
    pub(in crate::sys) const MAP_CREATE: usize = 0;
    pub(in crate::sys) const MAP_LOOKUP_ELEM: usize = 1;
    pub(in crate::sys) const MAP_UPDATE_ELEM: usize = 2;
    pub(in crate::sys) const MAP_DELETE_ELEM: usize = 3;
    pub(in crate::sys) const MAP_GET_NEXT_KEY: usize = 4;
    pub(in crate::sys) const PROG_LOAD: usize = 5;
    pub(in crate::sys) const OBJ_PIN: usize = 6;
    pub(in crate::sys) const OBJ_GET: usize = 7;
    pub(in crate::sys) const PROG_ATTACH: usize = 8;
    pub(in crate::sys) const PROG_DETACH: usize = 9;
    pub(in crate::sys) const PROG_TEST_RUN: usize = 10;
    pub(in crate::sys) const PROG_GET_FD_BY_ID: usize = 13;
    pub(in crate::sys) const MAP_GET_FD_BY_ID: usize = 14;
    pub(in crate::sys) const OBJ_GET_INFO_BY_FD: usize = 15;
    pub(in crate::sys) const RAW_TRACEPOINT_OPEN: usize = 17;
    pub(in crate::sys) const BTF_LOAD: usize = 18;
    pub(in crate::sys) const MAP_FREEZE: usize = 22;
    pub(in crate::sys) const LINK_CREATE: usize = 28;
    pub(in crate::sys) const ITER_CREATE: usize = 33;
    #[cfg(feature = "privileges")]
    pub(in crate::sys) const TOKEN_CREATE: usize = 36;
}

/// `BPF_PERF_EVENT` of `enum bpf_attach_type`.
const ATTACH_PERF_EVENT: u32 = 41;
/// `BPF_TRACE_ITER` of `enum bpf_attach_type`.
const ATTACH_ITER: u32 = 28;
/// `BPF_F_KPROBE_MULTI_RETURN`
const MULTI_RETURN: u32 = 1;
/// `BPF_F_TOKEN_FD`
const TOKEN_FD: u32 = 1 << 16;
/// Bit `freq` of `struct perf_event_attr`.
const PERF_FREQ: u64 = 1 << 10;
/// `PERF_ATTR_SIZE_VER5`, which every kernel with BPF tracing links knows.
const PERF_ATTR_SIZE: u32 = 112;

/// Words of the longest attribute: only a token lies behind 128 bytes.
const WORDS: usize = if cfg!(feature = "privileges") { 38 } else { 32 };

/// An attribute of up to 152 bytes. 64-bit fields hold addresses, whatever the size of a pointer.
#[repr(C, align(8))]
pub(super) struct Attr {
    words: [u32; WORDS],
    len: usize,
}

impl Attr {
    fn new(len: usize) -> Attr {
        Attr { words: [0; WORDS], len }
    }

    fn set(mut self, at: usize, value: u32) -> Attr {
        if let Some(w) = self.words.get_mut(at / 4) {
            *w = value;
        }
        self
    }

    fn set_u64(self, at: usize, value: u64) -> Attr {
        let (first, second) = if cfg!(target_endian = "big") { (4, 0) } else { (0, 4) };
        self.set(at.wrapping_add(first), value as u32).set(at.wrapping_add(second), (value >> 32) as u32)
    }

    fn address<T>(self, at: usize, of: *const T) -> Attr {
        self.set_u64(at, of.expose_provenance() as u64)
    }

    fn name(mut self, at: usize, name: &[u8; 16]) -> Attr {
        for (at, b) in (at..).step_by(4).zip(name.as_chunks::<4>().0) {
            self = self.set(at, u32::from_ne_bytes(*b));
        }
        self
    }

    /// The same with a token: its descriptor at `at`, and in the flags that are at `flags` that it is there.
    #[inline(always)] // nothing where there are no tokens
    pub(super) fn by_token(mut self, token: Option<super::Fd>, flags: usize, at: usize) -> Attr {
        if let Some(token) = token {
            self.put_token(token, flags, at);
        }
        self
    }

    #[cold]
    #[inline(never)]
    fn put_token(&mut self, token: super::Fd, flags: usize, at: usize) {
        self.len = at.wrapping_add(4);
        if let Some(word) = self.words.get_mut(flags / 4) {
            *word |= TOKEN_FD;
        }
        if let Some(word) = self.words.get_mut(at / 4) {
            *word = token.0 as u32;
        }
    }

    /// Where it is, for the kernel.
    pub(super) fn as_ptr(&self) -> *const u32 {
        self.words.as_ptr()
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn map_create(m: &MapSpec) -> Attr {
        // older kernels know no more than the first
        let (size, module) = m.module.map_or((72, 0), |fd| (76, fd.0 as u32));
        let a = Attr::new(size)
            .set(0, m.map_type)
            .set(4, m.key_size)
            .set(8, m.value_size)
            .set(12, m.max_entries)
            .set(16, m.map_flags)
            .set(20, m.inner.map_or(0, |fd| fd.0 as u32))
            .name(28, &m.name)
            .set(60, m.kernel_value_type)
            .set_u64(64, m.map_extra)
            .set(72, module);
        match m.btf {
            Some(btf) => a.set(48, btf.0 as u32).set(52, m.key_type).set(56, m.value_type),
            None => a,
        }
    }

    /// `BPF_MAP_*_ELEM` and `BPF_MAP_GET_NEXT_KEY`.
    pub(super) fn map_elem(map: i32, key: *const u8, value: *const u8) -> Attr {
        Attr::new(32).set(0, map as u32).address(8, key).address(16, value)
    }

    pub(super) fn map_freeze(map: i32) -> Attr {
        Attr::new(4).set(0, map as u32)
    }

    pub(super) fn prog_load(p: &ProgSpec<'_>, log: Option<(*mut u8, usize)>) -> Attr {
        let mut a = Attr::new(120)
            .set(0, p.prog_type)
            .set(4, (p.insns.len() / 8) as u32)
            .address(8, p.insns.as_ptr())
            .address(16, p.license.as_ptr())
            .set(40, p.kern_version)
            .set(44, p.prog_flags)
            .name(48, &p.name)
            .set(68, p.expected_attach_type)
            .set(108, p.attach_to.id)
            .set(112, p.attach_to.of.map_or(0, |fd| fd.0 as u32));
        if let Some((log, len)) = log {
            a = a.set(24, 1).set(28, len as u32).address(32, log);
        }
        if !p.fd_array.is_empty() {
            // older kernels have no such field, nor functions of modules
            a.len = 128;
            a = a.address(120, p.fd_array.as_ptr());
        }
        if let Some(b) = &p.btf {
            a = a.set(72, b.fd.0 as u32);
            if !b.func_info.is_empty() {
                a = a.set(76, 8).address(80, b.func_info.as_ptr()).set(88, (b.func_info.len() / 8) as u32);
            }
            if !b.line_info.is_empty() {
                a = a.set(92, 16).address(96, b.line_info.as_ptr()).set(104, (b.line_info.len() / 16) as u32);
            }
        }
        a
    }

    pub(super) fn btf_load(btf: &[u8]) -> Attr {
        Attr::new(28).address(0, btf.as_ptr()).set(16, btf.len() as u32)
    }

    pub(super) fn raw_tracepoint(name: *const core::ffi::c_char, prog: i32) -> Attr {
        Attr::new(16).address(0, name).set(8, prog as u32)
    }

    pub(super) fn link_perf(prog: i32, event: i32, cookie: u64) -> Attr {
        let a = Attr::new(24).set(0, prog as u32).set(4, event as u32).set(8, ATTACH_PERF_EVENT);
        a.set_u64(16, cookie)
    }

    #[cold]
    pub(super) fn link_create(prog: i32, l: &LinkSpec) -> Attr {
        let [a, b, c, d] = l.rest;
        let attr = Attr::new(32).set(0, prog as u32).set(4, l.target).set(8, l.attach_type).set(12, l.flags);
        attr.set(16, a).set(20, b).set(24, c).set(28, d)
    }

    #[cold]
    pub(super) fn link_uprobe_multi(prog: i32, m: &MultiSpec<'_>) -> Attr {
        Attr::new(64)
            .set(0, prog as u32)
            .set(8, m.attach_type)
            .address(16, m.path.as_ptr())
            .address(24, m.offsets.as_ptr())
            .set(48, m.offsets.len() as u32)
            .set(52, m.ret.into())
            .set(56, m.pid.unwrap_or(0))
    }

    /// `BPF_OBJ_PIN` and, without a descriptor, `BPF_OBJ_GET`.
    pub(super) fn obj(path: *const core::ffi::c_char, fd: i32) -> Attr {
        Attr::new(12).address(0, path).set(8, fd as u32)
    }

    pub(super) fn obj_info(fd: i32, info: *mut u32, len: usize) -> Attr {
        Attr::new(16).set(0, fd as u32).set(4, len as u32).address(8, info)
    }

    pub(super) fn link_iter(prog: i32) -> Attr {
        Attr::new(32).set(0, prog as u32).set(8, ATTACH_ITER)
    }

    pub(super) fn link_kprobe_multi(prog: i32, attach_type: u32, ret: bool, names: &[u64]) -> Attr {
        let flags = if ret { MULTI_RETURN } else { 0 };
        Attr::new(48)
            .set(0, prog as u32)
            .set(8, attach_type)
            .set(16, flags)
            .set(20, names.len() as u32)
            .address(24, names.as_ptr())
    }

    /// `BPF_LINK_CREATE` to functions by their ids in the kernel's BTF.
    pub(super) fn link_tracing_multi(prog: i32, attach_type: u32, ids: &[u32]) -> Attr {
        Attr::new(40)
            .set(0, prog as u32)
            .set(8, attach_type)
            .address(16, ids.as_ptr())
            .set(32, ids.len() as u32)
    }

    /// `BPF_LINK_CREATE` to what `target` is.
    pub(super) fn link_place(prog: i32, target: i32, attach_type: u32) -> Attr {
        Attr::new(16).set(0, prog as u32).set(4, target as u32).set(8, attach_type)
    }

    /// `BPF_PROG_ATTACH` and, without flags, `BPF_PROG_DETACH`.
    pub(super) fn prog_attach(prog: i32, target: i32, attach_type: u32, flags: u32) -> Attr {
        Attr::new(16).set(0, target as u32).set(4, prog as u32).set(8, attach_type).set(12, flags)
    }

    pub(super) fn iter_create(link: i32) -> Attr {
        Attr::new(8).set(0, link as u32)
    }

    pub(super) fn prog_run(prog: i32, context: *mut u64) -> Attr {
        Attr::new(72).set(0, prog as u32).set(40, size_of::<u64>() as u32).address(48, context)
    }

    #[cfg(feature = "privileges")]
    pub(super) fn token_create(bpffs: i32) -> Attr {
        Attr::new(8).set(4, bpffs as u32)
    }

    /// `BPF_*_GET_FD_BY_ID`
    pub(super) fn id(id: u32) -> Attr {
        Attr::new(12).set(0, id)
    }

    pub(super) fn perf_event(p: &PerfSpec<'_>) -> Attr {
        let a = Attr::new(PERF_ATTR_SIZE as usize)
            .set(0, p.kind)
            .set(4, PERF_ATTR_SIZE)
            .set_u64(8, p.config)
            .set_u64(16, p.sample_period)
            .set_u64(24, p.sample_type)
            .set_u64(32, p.read_format)
            .set_u64(40, if p.freq { PERF_FREQ } else { 0 })
            .set(48, p.wakeup_events)
            .set_u64(64, p.offset);
        match p.symbol {
            Some(s) => a.address(56, s.as_ptr()),
            None => a,
        }
    }
}
