//! Where the output goes: standard output, a file that is rotated, a socket, syslog.
//!
//! ```text
//! --output FILE               a file that is appended to; with --rotate BYTES it becomes FILE.1 before it would be longer
//! --output unix:PATH          a stream socket; one that went away is looked for again with each record
//! --output udp:A.B.C.D:PORT   a datagram for each record, text or JSON
//! --output syslog             a datagram for each line, to /dev/log, as daemon.info
//! ```

use crate::number::decimal;
use crate::sys::{Address, Errno, Fd, Kernel, Open, Sys};
use crate::tracefs::until_nul;
use core::ffi::CStr;

/// Facility daemon (3 × 8) and severity info (6), RFC 5424, and what syslog calls us.
const SYSLOG: &[u8] = b"<30>corelet: ";
/// `PATH_MAX` with its NUL, for the name of the file that was.
const PATH: usize = 256;

/// Where the output goes.
pub(super) enum Kind<'a> {
    /// Standard output.
    Stdout,
    /// A file; `limit` is 0 where it is not rotated.
    File { path: &'a CStr, limit: u64, written: u64 },
    /// A stream socket.
    Stream(Address),
    /// A socket of datagrams, with what stands before each line; empty for a datagram a record.
    Packets(Address, &'static [u8]),
}

/// An open place.
pub(super) struct Sink<'a> {
    pub(super) kind: Kind<'a>,
    /// -1 while there is none.
    pub(super) fd: Fd,
}

/// What `--output` says; `None` for what it does not take.
pub(super) fn parse(to: Option<&CStr>, limit: u64) -> Option<Kind<'_>> {
    // `args` refuses it then
    let Some(path) = to.filter(|_| cfg!(feature = "outputs")) else { return Some(Kind::Stdout) };
    // of text, since that of bytes brings a panic; what is none is a file's name
    let text = path.to_str().unwrap_or_default();
    if text == "syslog" {
        return Some(Kind::Packets(Address::unix(b"/dev/log", true)?, SYSLOG));
    }
    if let Some(path) = text.strip_prefix("unix:") {
        return Address::unix(path.as_bytes(), false).map(Kind::Stream);
    }
    let Some(host) = text.strip_prefix("udp:") else {
        return Some(Kind::File { path, limit, written: 0 });
    };
    let mut parts = host.as_bytes().split(|&b| matches!(b, b'.' | b':'));
    let mut number = || decimal(core::str::from_utf8(parts.next()?).ok()?);
    let mut address = [0; 4];
    for byte in &mut address {
        *byte = u8::try_from(number()?).ok()?;
    }
    let port = u16::try_from(number()?).ok()?;
    parts.next().is_none().then(|| Kind::Packets(Address::udp(address, port), &[]))
}

impl<'a> Sink<'a> {
    /// Opens it. A socket that nobody listens on is no error: its records are dropped, and counted, until somebody does.
    ///
    /// # Errors
    /// Those of `openat(2)`.
    pub(super) fn open<K: Kernel>(kernel: &mut K, kind: Kind<'a>) -> Sys<Sink<'a>> {
        let mut sink = Sink { kind, fd: Fd::STDOUT };
        if cfg!(not(feature = "outputs")) {
            return Ok(sink);
        }
        if let Kind::File { path, written, .. } = &mut sink.kind {
            sink.fd = kernel.open(path, Open::Create)?;
            *written = kernel.file_len(sink.fd)?;
        } else if !matches!(sink.kind, Kind::Stdout) {
            sink.fd = Fd::default();
            sink.connect(kernel);
        }
        Ok(sink)
    }

    /// Connects a socket that is not; whether it is now and was not.
    pub(super) fn connect<K: Kernel>(&mut self, kernel: &mut K) -> bool {
        let (Kind::Stream(address) | Kind::Packets(address, _)) = &self.kind else { return false };
        if cfg!(not(feature = "outputs")) || self.fd != Fd::default() {
            return false;
        }
        self.fd = kernel.connect(address).unwrap_or_default();
        self.fd != Fd::default()
    }

    /// Whether the place may go away and come back.
    pub(super) fn is_socket(&self) -> bool {
        cfg!(feature = "outputs") && matches!(self.kind, Kind::Stream(_) | Kind::Packets(..))
    }

    /// Closes it.
    pub(super) fn close<K: Kernel>(&mut self, kernel: &mut K) {
        if !matches!(self.kind, Kind::Stdout) && self.fd != Fd::default() {
            kernel.close(self.fd);
            self.fd = Fd::default();
        }
    }

    /// Whether `more` bytes behind those that wait would make the file longer than it may be, where it has any.
    pub(super) fn is_full(&self, waiting: usize, more: usize) -> bool {
        let Kind::File { limit, written, .. } = self.kind else { return false };
        if !cfg!(feature = "outputs") {
            return false;
        }
        let have = written.saturating_add(waiting as u64);
        limit > 0 && have > 0 && have.saturating_add(more as u64) > limit
    }

    /// Counts what was written.
    pub(super) fn wrote(&mut self, bytes: usize) {
        if let Kind::File { written, .. } = &mut self.kind {
            *written = written.saturating_add(bytes as u64);
        }
    }

    /// Gives the file its other name, which takes the place of what had that, and begins a new one.
    pub(super) fn rotate<K: Kernel>(&mut self, kernel: &mut K) -> Sys<()> {
        let Kind::File { path, written, .. } = &mut self.kind else { return Ok(()) };
        let mut old = [0; PATH];
        let room = old.get_mut(..PATH.saturating_sub(1)).unwrap_or_default();
        let name = path.to_bytes().iter().chain(b".1");
        if name.clone().count() > room.len() {
            return Err(Errno::EINVAL);
        }
        room.iter_mut().zip(name).for_each(|(to, &from)| *to = from);
        kernel.rename(path, until_nul(&old))?;
        kernel.close(self.fd);
        self.fd = kernel.open(path, Open::Create)?;
        *written = 0;
        Ok(())
    }

    /// Sends a record, or each of its lines behind the prefix, for which there is room in front of `bytes[start..]`; whether all
    /// were taken.
    pub(super) fn send<K: Kernel>(&mut self, kernel: &mut K, bytes: &mut [u8], start: usize) -> bool {
        let Kind::Packets(_, prefix) = &self.kind else { return false };
        let mut from = start;
        while from < bytes.len() {
            let rest = bytes.get(from..).unwrap_or_default();
            let line = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
            let len = if prefix.is_empty() { rest.len() } else { line };
            let (first, end) = (from.saturating_sub(prefix.len()), from.saturating_add(len));
            // over the end of the line before, which is sent
            let front = bytes.get_mut(first..from).unwrap_or_default();
            front.iter_mut().zip(prefix.iter()).for_each(|(to, &from)| *to = from);
            let packet = bytes.get(first..end).unwrap_or_default();
            if !kernel.writable(self.fd) || kernel.write(self.fd, packet) != Ok(packet.len()) {
                return false;
            }
            from = end.saturating_add(1);
        }
        true
    }

    /// Bytes to leave free in front of a record.
    pub(super) fn margin(&self) -> usize {
        if let Kind::Packets(_, prefix) = &self.kind { prefix.len() } else { 0 }
    }
}
