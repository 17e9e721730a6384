//! rtnetlink: one request at a time, written into a buffer on the stack, and what the kernel answers.
//! Source: `Documentation/userspace-api/netlink/intro.rst`, `include/uapi/linux/netlink.h` and `rtnetlink.h`.

use crate::sys::{Errno, Fd, Kernel, Sys};
use heapless::String;

/// Bytes of the longest request: a filter with an action and its names.
const MAX_REQUEST: usize = 192;
/// Bytes of an answer that is no dump: what is cut off of a description of an interface is not asked for.
const MAX_ANSWER: usize = 2048;
/// Bytes of a part of a dump at most: `NLMSG_GOODSIZE`, kernel `include/linux/netlink.h`.
const MAX_PART: usize = 8192;
/// Bytes that are kept of the kernel's words on a refusal.
const MAX_WORDS: usize = 80;

/// `struct nlmsghdr`: length, type, flags, sequence number, port.
const HEADER: usize = 16;
/// The sequence number of all requests: a socket has one request under way.
const SEQ: u32 = 1;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const F_REQUEST: u16 = 1;
const F_ACK: u16 = 4;
/// `NLM_F_DUMP`, in requests.
const F_DUMP: u16 = 0x300;
/// `NLM_F_DUMP_INTR`, in answers: what was dumped changed meanwhile.
const F_DUMP_INTR: u16 = 0x10;
/// `NLM_F_ACK_TLVS`, in answers: attributes follow the error.
const F_ACK_TLVS: u16 = 0x200;
/// `NLM_F_REPLACE`, `NLM_F_EXCL`, `NLM_F_CREATE` and `NLM_F_ECHO`, in requests.
pub(super) const F_EXCL: u16 = 0x200;
pub(super) const F_CREATE: u16 = 0x400;
pub(super) const F_ECHO: u16 = 8;
/// `NLMSGERR_ATTR_MSG`
const ATTR_MSG: u16 = 1;
/// `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`, which are no part of an attribute's type.
const TYPE_MASK: u16 = 0x3fff;
const F_NESTED: u16 = 0x8000;

/// A request that is being written. What does not fit makes sending it fail.
pub(super) struct Request {
    bytes: [u8; MAX_REQUEST],
    len: usize,
}

/// Why a request was refused.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    /// The error.
    pub(super) errno: Errno,
    /// The kernel's own words, where it has some.
    pub(super) words: String<MAX_WORDS>,
}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Refused {
        Refused { errno, words: String::new() }
    }
}

impl Request {
    /// A request of a type of message, with flags beside those of all, and a fixed part.
    #[cold]
    #[inline(never)]
    pub(super) fn new(kind: u16, flags: u16, fixed: &[u32]) -> Request {
        let mut request = Request { bytes: [0; MAX_REQUEST], len: 0 };
        let flags = flags | F_REQUEST | F_ACK;
        let first = u32::from(kind) | u32::from(flags) << 16;
        let first = if cfg!(target_endian = "big") { first.rotate_left(16) } else { first };
        for word in [0, first, SEQ, 0].iter().chain(fixed) {
            request.put(&word.to_ne_bytes());
        }
        request
    }

    /// The same that asks for all there are.
    pub(super) fn dump(kind: u16, fixed: &[u32]) -> Request {
        Request::new(kind, F_DUMP, fixed)
    }

    #[cold]
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        for &b in bytes {
            if let Some(slot) = self.bytes.get_mut(self.len) {
                *slot = b;
            }
            self.len = self.len.saturating_add(1);
        }
        self.len = self.len.next_multiple_of(4);
    }

    /// Adds an attribute.
    #[cold]
    #[inline(never)]
    pub(super) fn attr(&mut self, kind: u16, value: &[u8]) -> &mut Request {
        let len = value.len().saturating_add(4) as u16;
        let [a, b] = len.to_ne_bytes();
        let [c, d] = kind.to_ne_bytes();
        self.put(&[a, b, c, d]);
        self.put(value);
        self
    }

    /// Adds an attribute that holds a number.
    pub(super) fn number(&mut self, kind: u16, value: u32) -> &mut Request {
        self.attr(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute that holds a name with a NUL.
    #[cold]
    #[inline(never)]
    pub(super) fn name(&mut self, kind: u16, name: &str) -> &mut Request {
        let mut text = [0; 32];
        for (slot, b) in text.iter_mut().zip(name.bytes()) {
            *slot = b;
        }
        let len = name.len().min(text.len().saturating_sub(1)).saturating_add(1);
        self.attr(kind, text.get(..len).unwrap_or(&[]))
    }

    /// Begins an attribute that holds others; [`Request::end`] takes what this gives.
    pub(super) fn nest(&mut self, kind: u16) -> usize {
        let at = self.len;
        self.attr(kind | F_NESTED, &[]);
        at
    }

    /// Ends an attribute that was begun.
    #[cold]
    #[inline(never)]
    pub(super) fn end(&mut self, at: usize) {
        let len = (self.len.saturating_sub(at) as u16).to_ne_bytes();
        for (slot, b) in self.bytes.iter_mut().skip(at).zip(len) {
            *slot = b;
        }
    }

    /// Sends it, gives each message of the answer to `hear` (its type, and its bytes behind the header), and waits for the end.
    ///
    /// # Errors
    /// What the kernel says, in its own words too.
    #[cold]
    #[inline(never)]
    pub(super) fn ask<K: Kernel>(
        &mut self,
        kernel: &mut K,
        socket: Fd,
        hear: &mut dyn FnMut(u16, &[u8]),
    ) -> Result<(), Refused> {
        self.send(kernel, socket)?;
        receive(kernel, socket, &mut [0; MAX_ANSWER], hear)
    }

    /// The same of a dump, whose parts are longer.
    #[cold]
    #[inline(never)]
    pub(super) fn ask_all<K: Kernel>(
        &mut self,
        kernel: &mut K,
        socket: Fd,
        hear: &mut dyn FnMut(u16, &[u8]),
    ) -> Result<(), Refused> {
        self.send(kernel, socket)?;
        receive(kernel, socket, &mut [0; MAX_PART], hear)
    }

    fn send<K: Kernel>(&mut self, kernel: &mut K, socket: Fd) -> Sys<()> {
        let len = (self.len as u32).to_ne_bytes();
        for (slot, b) in self.bytes.iter_mut().zip(len) {
            *slot = b;
        }
        let bytes = self.bytes.get(..self.len).ok_or(Errno::E2BIG)?;
        let sent = kernel.write(socket, bytes)?;
        if sent == bytes.len() { Ok(()) } else { Err(Errno::EIO) }
    }
}

/// Reads until the acknowledgement, or the end of a dump.
#[cold]
#[inline(never)]
fn receive<K: Kernel>(
    kernel: &mut K,
    socket: Fd,
    buffer: &mut [u8],
    hear: &mut dyn FnMut(u16, &[u8]),
) -> Result<(), Refused> {
    let mut changed = false;
    loop {
        let n = match kernel.read(socket, buffer) {
            Err(Errno::EINTR) => continue,
            read => read?,
        };
        let mut rest = buffer.get(..n).unwrap_or(&[]);
        if rest.is_empty() {
            return Err(Errno::EIO.into());
        }
        while let Some(header) = rest.get(..HEADER) {
            let len = word(header, 0) as usize;
            let (kind, flags) = (half(header, 4), half(header, 6));
            // what is cut off is not there
            let body = rest.get(HEADER..len.min(rest.len())).unwrap_or(&[]);
            changed |= flags & F_DUMP_INTR != 0;
            match kind {
                NLMSG_ERROR => {
                    return match i32::from_ne_bytes(word(body, 0).to_ne_bytes()) {
                        0 => Ok(()),
                        e => Err(refused(e, flags, body)),
                    };
                }
                NLMSG_DONE if changed => return Err(Errno::EINTR.into()),
                NLMSG_DONE => return Ok(()),
                _ => hear(kind, body),
            }
            rest = rest.get(len.max(HEADER).next_multiple_of(4)..).unwrap_or(&[]);
        }
    }
}

#[cold]
#[inline(never)]
fn refused(error: i32, flags: u16, body: &[u8]) -> Refused {
    let mut words = String::new();
    // behind the error stands the header of the request, without the rest (NETLINK_CAP_ACK)
    if flags & F_ACK_TLVS != 0
        && let Some(text) = attr(body.get(4 + HEADER..).unwrap_or(&[]), ATTR_MSG)
    {
        for &b in text.iter().take_while(|&&b| b != 0) {
            // what is longer is cut
            let _ = words.push(if b.is_ascii() { char::from(b) } else { '?' });
        }
    }
    Refused { errno: Errno(error.unsigned_abs() as u16), words }
}

/// The value of the first attribute of this type.
#[cold]
#[inline(never)]
pub(super) fn attr(mut attrs: &[u8], kind: u16) -> Option<&[u8]> {
    while attrs.len() >= 4 {
        let len = usize::from(half(attrs, 0));
        if half(attrs, 2) & TYPE_MASK == kind {
            return attrs.get(4..len);
        }
        attrs = attrs.get(len.max(4).next_multiple_of(4)..)?;
    }
    None
}

/// The number of four bytes at `at`; 0 where they are not there.
#[cold]
#[inline(never)]
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..).and_then(|b| b.first_chunk());
    bytes.map_or(0, |b| u32::from_ne_bytes(*b))
}

/// The same of two bytes.
#[cold]
#[inline(never)]
fn half(bytes: &[u8], at: usize) -> u16 {
    let bytes = bytes.get(at..).and_then(|b| b.first_chunk());
    bytes.map_or(0, |b| u16::from_ne_bytes(*b))
}
