//! A kernel for tests of streaming: shared memory that is written from the other side, maps as lists, a reader that is as
//! slow as the test says.

use crate::sys::{
    Address, Errno, Fd, Kernel, Kind, MapFd, MapSpec, MultiSpec, Open, PerfCommand, PerfSpec, ProgSpec,
    Region, Shared, Sys, Uname,
};
use std::collections::{HashMap, VecDeque};
use std::ffi::{CStr, CString};

pub(super) const PAGE: u32 = 4096;

/// Bytes in shared memory as the kernel sees them; both places of what a ring buffer maps twice.
pub(super) fn poke(shared: &Shared, at: usize, bytes: &[u8]) {
    for (i, word) in bytes.chunks(8).enumerate() {
        let mut padded = [0xa5; 8];
        padded[..word.len()].copy_from_slice(word);
        shared.store_long(at + i * 8, usize::from_ne_bytes(padded));
    }
}

/// New shared memory of `len` bytes.
pub(super) fn shared(len: usize) -> Shared {
    Shared::over(Box::leak(vec![0u64; len / 8].into_boxed_slice()))
}

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Default)]
pub(super) struct Fake {
    /// Mappings by descriptor and offset.
    pub(super) shared: HashMap<(i32, u32), Shared>,
    pub(super) maps: HashMap<i32, Entries>,
    pub(super) offline: Vec<u32>,
    /// What each wait gives; after the last, the stop descriptor is readable.
    pub(super) ready: VecDeque<Vec<u32>>,
    pub(super) stdout: Vec<u8>,
    /// Whether there is no more memory than the formula says, and whether it is for another object.
    pub(super) sealed: bool,
    pub(super) of_another: bool,
    /// Bytes that standard output takes before it would block.
    pub(super) room: usize,
    /// Bytes that the reader takes in each wait after the end.
    pub(super) reads: usize,
    pub(super) write_error: Option<Errno>,
    pub(super) stderr: Vec<u8>,
    pub(super) clock: u64,
    /// Nanoseconds that the wall clock is ahead of it.
    pub(super) ahead: u64,
    /// What `ahead` is from the first wait on, where somebody sets the clock then.
    pub(super) stepped: Option<u64>,
    pub(super) deadline: Option<u64>,
    pub(super) interval: Option<u64>,
    /// Lost records that reading a perf event tells of, by descriptor.
    pub(super) told: HashMap<i32, u64>,
    /// Whether the kernel does not know `PERF_FORMAT_LOST`.
    pub(super) old: bool,
    /// `--output` and `--rotate`.
    pub(super) to: Option<CString>,
    pub(super) rotate: u64,
    /// Content of the output's file, and of those that it was before with both names.
    pub(super) file: Vec<u8>,
    pub(super) renamed: Vec<(CString, CString, Vec<u8>)>,
    /// Whether somebody listens on the socket, to whom it was connected, and what was sent.
    pub(super) listens: bool,
    pub(super) connected: Vec<Address>,
    pub(super) packets: Vec<Vec<u8>>,
    /// Section `HINTS` of the object.
    pub(super) hints: Vec<u8>,
    pub(super) files: HashMap<String, String>,
    pub(super) open: Vec<(Vec<u8>, usize)>,
    /// What programs put into maps: when, map, key and value.
    pub(super) at: Vec<(u64, i32, Vec<u8>, Vec<u8>)>,
    pub(super) epolls: i32,
}

impl Kernel for Fake {
    fn write(&mut self, fd: Fd, bytes: &[u8]) -> Sys<usize> {
        if fd == Fd::STDERR {
            self.stderr.extend(bytes);
            return Ok(bytes.len());
        }
        if let Some(e) = self.write_error {
            self.listens = false;
            return Err(e);
        }
        if fd == Fd(300) {
            self.file.extend(bytes);
            return Ok(bytes.len());
        }
        if fd == Fd(400) {
            self.packets.push(bytes.to_vec());
            return Ok(bytes.len());
        }
        assert!(fd == Fd::STDOUT && bytes.len() <= 4096 && self.room > 0, "a write that may block");
        let n = bytes.len().min(self.room);
        self.room -= n;
        self.stdout.extend(&bytes[..n]);
        Ok(n)
    }

    fn writable(&mut self, fd: Fd) -> bool {
        [300, 400].contains(&fd.0) || fd == Fd::STDOUT && (self.room > 0 || self.write_error.is_some())
    }

    fn read_dir(&mut self, _: Fd, _: &mut [u8]) -> Sys<usize> {
        Err(Errno::EINVAL)
    }

    fn close(&mut self, _: Fd) {}

    fn rename(&mut self, from: &CStr, to: &CStr) -> Sys<()> {
        self.renamed.push((from.to_owned(), to.to_owned(), std::mem::take(&mut self.file)));
        Ok(())
    }

    fn connect(&mut self, to: &Address) -> Sys<Fd> {
        self.connected.push(*to);
        if self.listens { Ok(Fd(400)) } else { Err(Errno(111)) }
    }

    fn map_shared(&mut self, fd: Fd, offset: u32, len: usize, _: bool) -> Sys<Shared> {
        let shared = self.shared.get(&(fd.0, offset)).cloned().ok_or(Errno::EINVAL)?;
        assert_eq!(shared.len(), len);
        Ok(shared)
    }

    fn map_update(&mut self, map: &MapFd, key: &[u8], value: &[u8]) -> Sys<()> {
        let entries = self.maps.entry(map.fd().0).or_default();
        match entries.iter_mut().find(|e| e.0 == key) {
            Some(entry) => entry.1 = value.to_vec(),
            None => entries.push((key.to_vec(), value.to_vec())),
        }
        Ok(())
    }

    fn map_lookup(&mut self, map: &MapFd, key: &[u8], value: &mut [u8]) -> Sys<()> {
        let entries = self.maps.get(&map.fd().0).ok_or(Errno::EBADF)?;
        let found = entries.iter().find(|e| e.0 == key).ok_or(Errno::ENOENT)?;
        value.copy_from_slice(&found.1);
        Ok(())
    }

    fn map_next_key(&mut self, map: &MapFd, key: Option<&[u8]>, next: &mut [u8]) -> Sys<()> {
        let entries = self.maps.get(&map.fd().0).ok_or(Errno::EBADF)?;
        let at = key.map_or(0, |k| entries.iter().position(|e| e.0 == k).map_or(0, |i| i + 1));
        next.copy_from_slice(&entries.get(at).ok_or(Errno::ENOENT)?.0);
        Ok(())
    }

    fn map_delete(&mut self, map: &MapFd, key: &[u8]) -> Sys<()> {
        let entries = self.maps.get_mut(&map.fd().0).ok_or(Errno::EBADF)?;
        let at = entries.iter().position(|e| e.0 == key).ok_or(Errno::ENOENT)?;
        entries.remove(at);
        Ok(())
    }

    fn perf_event_open(&mut self, spec: &PerfSpec<'_>, cpu: u32) -> Sys<Fd> {
        assert_eq!((spec.kind, spec.config, spec.wakeup_events), (1, 10, 1));
        if spec.read_format != 0 && self.old {
            return Err(Errno::EINVAL);
        }
        assert!(matches!(spec.read_format, 0 | 16));
        if self.offline.contains(&cpu) { Err(Errno::ENODEV) } else { Ok(Fd(200 + cpu as i32)) }
    }

    fn perf_ioctl(&mut self, _: Fd, command: PerfCommand) -> Sys<()> {
        assert_eq!(command, PerfCommand::Enable);
        Ok(())
    }

    fn now(&mut self) -> u64 {
        self.clock
    }

    fn real_time(&mut self) -> u64 {
        self.clock + self.ahead
    }

    fn epoll_create(&mut self) -> Sys<Fd> {
        self.epolls += 1;
        Ok(Fd(1000 + self.epolls))
    }

    fn epoll_add(&mut self, _: Fd, _: Fd, _: u32) -> Sys<()> {
        Ok(())
    }

    fn epoll_wait(&mut self, epoll: Fd, timeout_ms: Option<u32>) -> Sys<heapless::Vec<u32, 16>> {
        self.clock += u64::from(timeout_ms.unwrap_or(0)) * 1_000_000;
        self.ahead = self.stepped.take().unwrap_or(self.ahead);
        let clock = self.clock;
        for (_, map, key, value) in self.at.extract_if(.., |a| a.0 <= clock) {
            let entries = self.maps.entry(map).or_default();
            entries.retain(|e| e.0 != key);
            entries.push((key, value));
        }
        if epoll != Fd(1001) {
            self.room += self.reads;
            return Ok(heapless::Vec::new());
        }
        let ready = self.ready.pop_front().unwrap_or_else(|| vec![super::super::STOP]);
        Ok(ready.into_iter().collect())
    }

    fn open(&mut self, path: &CStr, how: Open) -> Sys<Fd> {
        if how == Open::Create {
            return Ok(Fd(300));
        }
        let file = self.files.get(path.to_str().unwrap()).ok_or(Errno::ENOENT)?;
        self.open.push((file.clone().into(), 0));
        Ok(Fd(4999 + self.open.len() as i32))
    }
    fn read(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize> {
        if (200..300).contains(&fd.0) {
            let told = self.told.get(&fd.0).ok_or(Errno::EINVAL)?;
            buf.copy_from_slice(&[[0xee; 8], told.to_ne_bytes()].concat());
            return Ok(16);
        }
        let (file, at) = &mut self.open[(fd.0 - 5000) as usize];
        // as seq_file: whole lines, few at once
        let n = buf.len().min(file.len() - *at).min(100);
        buf[..n].copy_from_slice(&file[*at..*at + n]);
        *at += n;
        Ok(n)
    }
    fn read_at(&mut self, _: Fd, _: u32, _: &mut [u8]) -> Sys<usize> {
        unreachable!()
    }
    fn mkdir(&mut self, _: &CStr) -> Sys<()> {
        unreachable!()
    }
    fn remove(&mut self, _: &CStr, _: bool) -> Sys<()> {
        unreachable!()
    }
    fn lock(&mut self, _: Fd) -> Sys<()> {
        unreachable!()
    }
    fn obj_pin(&mut self, _: Fd, _: &CStr) -> Sys<()> {
        unreachable!()
    }
    fn obj_get_map(&mut self, _: &CStr, _: u32) -> Sys<MapFd> {
        unreachable!()
    }
    fn obj_by_id(&mut self, _: Kind, _: u32) -> Sys<(Fd, [u8; 16])> {
        unreachable!()
    }
    fn file_len(&mut self, _: Fd) -> Sys<u64> {
        Ok(self.file.len() as u64)
    }
    fn uname(&mut self) -> Uname {
        unreachable!()
    }
    fn pid(&mut self) -> u32 {
        unreachable!()
    }
    fn region(&mut self, len: usize) -> Sys<Region> {
        assert!(!self.sealed, "{len} bytes beyond the formula");
        Ok(&mut crate::sys::bytes(vec![0u64; len.div_ceil(8)].leak())[..len])
    }
    fn raise_memlock(&mut self) -> Sys<()> {
        unreachable!()
    }
    fn btf_load(&mut self, _: &[u8]) -> Sys<Fd> {
        unreachable!()
    }
    fn map_create(&mut self, _: &MapSpec, _: u32) -> Sys<MapFd> {
        unreachable!()
    }
    fn map_freeze(&mut self, _: Fd) -> Sys<()> {
        unreachable!()
    }
    fn prog_load(&mut self, _: &ProgSpec<'_>, _: Option<&mut [u8]>) -> Sys<Fd> {
        unreachable!()
    }
    fn raw_tracepoint_open(&mut self, _: Option<&CStr>, _: Fd) -> Sys<Fd> {
        unreachable!()
    }
    fn link_kprobe_multi(&mut self, _: Fd, _: u32, _: bool, _: &[u8], _: &mut [u64]) -> Sys<Fd> {
        unreachable!()
    }
    fn link_iter(&mut self, _: Fd) -> Sys<Fd> {
        unreachable!()
    }
    fn netlink(&mut self, _: u32) -> Sys<Fd> {
        unreachable!()
    }
    fn link_create(&mut self, _: Fd, _: &crate::sys::LinkSpec) -> Sys<Fd> {
        unreachable!()
    }
    fn link_tracing_multi(&mut self, _: Fd, _: u32, _: u32) -> Sys<Fd> {
        unreachable!()
    }
    fn iter_create(&mut self, _: Fd) -> Sys<Fd> {
        unreachable!()
    }
    fn prog_run(&mut self, _: Fd, _: &mut u64) -> Sys<()> {
        unreachable!()
    }
    fn link_place(&mut self, _: Fd, _: Fd, _: u32) -> Sys<Fd> {
        unreachable!()
    }
    fn prog_attach(&mut self, _: Fd, _: Fd, _: u32, _: bool) -> Sys<()> {
        unreachable!()
    }
    fn prog_detach(&mut self, _: Fd, _: Fd, _: u32) -> Sys<()> {
        unreachable!()
    }
    fn packet_socket(&mut self, _: u32) -> Sys<Fd> {
        unreachable!()
    }
    fn fd_of_process(&mut self, _: u32, _: u32) -> Sys<Fd> {
        unreachable!()
    }
    fn socket_option(&mut self, _: Fd, _: u32, _: Fd) -> Sys<()> {
        unreachable!()
    }
    fn link_perf(&mut self, _: Fd, _: Fd, _: u64) -> Sys<Fd> {
        unreachable!()
    }
    fn link_uprobe_multi(&mut self, _: Fd, _: &MultiSpec<'_>) -> Sys<Fd> {
        unreachable!()
    }
    fn obj_get(&mut self, _: &CStr) -> Sys<Fd> {
        unreachable!()
    }
    fn map_info(&mut self, _: Fd) -> Sys<MapSpec> {
        unreachable!()
    }
    fn stop_fd(&mut self) -> Sys<Fd> {
        unreachable!()
    }
}
