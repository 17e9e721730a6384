//! On a board: makes calls of sockets whose number is known, and of a device and a sysctl. A part of the tests, never of what a device
//! runs.
//!
//! `corelet-sockets all` waits for `/tmp/go`, then for each of IPv4, IPv6 and Unix: a listening socket, a connection to it that carries
//! a byte, and datagrams. `corelet-sockets group` has two UDP sockets of one port (`SO_REUSEPORT`) as descriptors 3 and 4, and sends
//! ten datagrams to it once `/tmp/go` is there. `corelet-sockets test` runs each program that the kernel has once by
//! `BPF_PROG_TEST_RUN`, without data and with a packet, whichever its kind takes. `corelet-sockets redirect` has a connection to each of two
//! ports and sends bytes over the first; `corelet-sockets choose` has two sockets of one port, puts them into the pinned map and sends
//! datagrams to the port: both print what each socket got. What fails is printed as `! CALL ERRNO`.

#![no_std]
#![no_main]

#[path = "../../../loader/src/rt/memory.rs"]
mod memory;
#[allow(dead_code, reason = "the other program's calls of bpf(2) and its files")]
#[path = "../../replay/src/sys.rs"]
mod sys;

use core::ffi::CStr;
use linux_raw_sys::general as nr;

/// A call that failed, by its name, and its error number.
type Failed = (&'static str, i32);

const AF_UNIX: u8 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const STREAM: usize = 1;
const DGRAM: usize = 2;
const SOL_SOCKET: usize = 1;
const SO_REUSEADDR: usize = 2;
const SO_TYPE: usize = 3;
const SO_REUSEPORT: usize = 15;
/// Ports that the programs count: tests/attach/places.bpf.c has that of datagrams.
const LISTENS: u16 = 5000;
const TAKES: u16 = 5001;
const GROUP: u16 = 5002;
const OTHER: u16 = 5003;

/// `struct sockaddr_in`, `sockaddr_in6` or `sockaddr_un`, of the loopback interface or with an abstract name.
struct Address {
    bytes: [u8; 28],
    len: usize,
}

impl Address {
    fn new(family: u8, port: u16) -> Address {
        let [high, low] = port.to_be_bytes();
        let mut a = Address { bytes: [0; 28], len: 16 };
        a.bytes[0] = family;
        match family {
            AF_INET => a.bytes[2..8].copy_from_slice(&[high, low, 127, 0, 0, 1]),
            AF_INET6 => {
                (a.bytes[2], a.bytes[3], a.bytes[23], a.len) = (high, low, 1, 28);
            }
            _ => a.bytes[3..5].copy_from_slice(&[high, low]),
        }
        a
    }
}

fn call(name: &'static str, number: u32, args: [usize; 6]) -> Result<usize, Failed> {
    // SAFETY: the callers below hand over buffers that are theirs, with their lengths.
    unsafe { sys::call(number, args) }.map_err(|e| (name, e))
}

/// Where something is that the kernel reads.
fn at<T>(of: &T) -> usize {
    (&raw const *of).expose_provenance()
}

/// Where something is that the kernel writes to.
fn into<T>(of: &mut T) -> usize {
    (&raw mut *of).expose_provenance()
}

fn socket(family: u8, kind: usize) -> Result<usize, Failed> {
    call("socket", nr::__NR_socket, [family.into(), kind, 0, 0, 0, 0])
}

fn bind(socket: usize, to: &Address) -> Result<usize, Failed> {
    call("bind", nr::__NR_bind, [socket, at(&to.bytes), to.len, 0, 0, 0])
}

fn set(socket: usize, option: usize) -> Result<usize, Failed> {
    let one = 1i32;
    call("setsockopt", nr::__NR_setsockopt, [socket, SOL_SOCKET, option, at(&one), 4, 0])
}

fn send(socket: usize, to: Option<&Address>) -> Result<usize, Failed> {
    let (address, len) = to.map_or((0, 0), |to| (at(&to.bytes), to.len));
    call("sendto", nr::__NR_sendto, [socket, at(b"x"), 1, 0, address, len])
}

/// Receives a byte, with the sender's address where `from` says so.
fn receive(socket: usize, from: bool) -> Result<usize, Failed> {
    let (mut byte, mut address, mut len) = ([0u8; 1], [0u8; 128], 128u32);
    let (address, len) = if from { (into(&mut address), into(&mut len)) } else { (0, 0) };
    call("recvfrom", nr::__NR_recvfrom, [socket, into(&mut byte), 1, 0, address, len])
}

fn name(what: &'static str, number: u32, socket: usize) -> Result<usize, Failed> {
    let (mut address, mut len) = ([0u8; 128], 128u32);
    call(what, number, [socket, into(&mut address), into(&mut len), 0, 0, 0])
}

/// One family's calls: of sockets 4, of which one is accepted besides; 2 binds, a connection of a byte, 3 datagrams.
fn family(family: u8) -> Result<(), Failed> {
    let listens = socket(family, STREAM)?;
    set(listens, SO_REUSEADDR)?;
    let (mut value, mut len) = (0u32, 4u32);
    let args = [listens, SOL_SOCKET, SO_TYPE, into(&mut value), into(&mut len), 0];
    call("getsockopt", nr::__NR_getsockopt, args)?;
    let here = Address::new(family, LISTENS);
    bind(listens, &here)?;
    call("listen", nr::__NR_listen, [listens, 4, 0, 0, 0, 0])?;
    name("getsockname", nr::__NR_getsockname, listens)?;
    let connects = socket(family, STREAM)?;
    call("connect", nr::__NR_connect, [connects, at(&here.bytes), here.len, 0, 0, 0])?;
    let accepted = call("accept4", nr::__NR_accept4, [listens, 0, 0, 0, 0, 0])?;
    name("getpeername", nr::__NR_getpeername, connects)?;
    send(connects, None)?;
    receive(accepted, false)?;
    let takes = socket(family, DGRAM)?;
    let there = Address::new(family, TAKES);
    bind(takes, &there)?;
    let sends = socket(family, DGRAM)?;
    for _ in 0..3 {
        send(sends, Some(&there))?;
        receive(takes, true)?;
    }
    Ok(())
}

fn open(path: &CStr, flags: usize) -> Result<usize, Failed> {
    call("openat", nr::__NR_openat, [nr::AT_FDCWD as usize, path.as_ptr() as usize, flags, 0, 0, 0])
}

fn wait() -> Result<(), Failed> {
    while open(c"/tmp/go", 0).is_err() {
        // 20 ms
        let time = [0u64, 20_000_000];
        call("nanosleep", nr::__NR_nanosleep, [at(&time), 0, 0, 0, 0, 0])?;
    }
    Ok(())
}

fn all() -> Result<(), Failed> {
    wait()?;
    for of in [AF_INET, AF_INET6, AF_UNIX] {
        family(of)?;
    }
    open(c"/dev/null", 0)?;
    let sysctl = open(c"/proc/sys/net/ipv4/ip_default_ttl", 2)?;
    let mut text = [0u8; 8];
    let room = text.len();
    let len = call("read", nr::__NR_read, [sysctl, into(&mut text), room, 0, 0, 0])?;
    call("lseek", nr::__NR_lseek, [sysctl, 0, 0, 0, 0, 0])?;
    call("write", nr::__NR_write, [sysctl, at(&text), len, 0, 0, 0])?;
    Ok(())
}

fn group() -> Result<(), Failed> {
    let to = Address::new(AF_INET, GROUP);
    for _ in 0..2 {
        let socket = socket(AF_INET, DGRAM)?;
        set(socket, SO_REUSEPORT)?;
        bind(socket, &to)?;
    }
    wait()?;
    let sends = socket(AF_INET, DGRAM)?;
    for _ in 0..10 {
        send(sends, Some(&to))?;
    }
    Ok(())
}

/// A connection on the loopback interface: the end that connects, and the one that accepts.
fn connection(port: u16) -> Result<(usize, usize), Failed> {
    let (listens, here) = (socket(AF_INET, STREAM)?, Address::new(AF_INET, port));
    set(listens, SO_REUSEADDR)?;
    bind(listens, &here)?;
    call("listen", nr::__NR_listen, [listens, 1, 0, 0, 0, 0])?;
    let connects = socket(AF_INET, STREAM)?;
    call("connect", nr::__NR_connect, [connects, at(&here.bytes), here.len, 0, 0, 0])?;
    Ok((connects, call("accept4", nr::__NR_accept4, [listens, 0, 0, 0, 0, 0])?))
}

const MSG_DONTWAIT: usize = 0x40;

/// Prints each byte that the socket has now, or gets in a tenth of a second, behind its name.
fn print_received(name: &[u8], socket: usize) -> Result<(), Failed> {
    let time = [0u64, 100_000_000];
    call("nanosleep", nr::__NR_nanosleep, [at(&time), 0, 0, 0, 0, 0])?;
    let mut bytes = [0u8; 16];
    let args = [socket, into(&mut bytes), 1, MSG_DONTWAIT, 0, 0];
    while call("recvfrom", nr::__NR_recvfrom, args) == Ok(1) {
        sys::print(name);
        sys::print(&bytes[..1]);
        sys::print(b"\n");
    }
    Ok(())
}

fn write(socket: usize, byte: &[u8; 1], to: Option<&Address>) -> Result<usize, Failed> {
    let (address, len) = to.map_or((0, 0), |to| (at(&to.bytes), to.len));
    call("sendto", nr::__NR_sendto, [socket, at(byte), 1, 0, address, len])
}

fn redirect() -> Result<(), Failed> {
    wait()?;
    let (sends, takes) = connection(LISTENS)?;
    let (_, other) = connection(OTHER)?;
    for byte in [b"p", b"r", b"m", b"q"] {
        write(sends, byte, None)?;
        print_received(b"meant ", takes)?;
        print_received(b"other ", other)?;
    }
    Ok(())
}

/// `BPF_MAP_UPDATE_ELEM` and `BPF_OBJ_GET`.
const MAP_UPDATE_ELEM: usize = 2;
const OBJ_GET: usize = 7;

fn choose() -> Result<(), Failed> {
    let to = Address::new(AF_INET, GROUP);
    let mut sockets = [0usize; 2];
    for slot in &mut sockets {
        *slot = socket(AF_INET, DGRAM)?;
        set(*slot, SO_REUSEPORT)?;
        bind(*slot, &to)?;
    }
    wait()?;
    let path = c"/sys/fs/bpf/corelet_group";
    let mut attr = [path.as_ptr() as u64, 0];
    let map = call("bpf", nr::__NR_bpf, [OBJ_GET, into(&mut attr), 16, 0, 0, 0])? as u64;
    for (key, socket) in (0u32..).zip(sockets) {
        let value = socket as u64;
        let mut attr = [map, at(&key) as u64, at(&value) as u64, 0];
        call("bpf", nr::__NR_bpf, [MAP_UPDATE_ELEM, into(&mut attr), 32, 0, 0, 0])?;
    }
    let sends = socket(AF_INET, DGRAM)?;
    for byte in [b"a", b"b", b"b", b"a", b"b"] {
        write(sends, byte, Some(&to))?;
    }
    print_received(b"first ", sockets[0])?;
    print_received(b"second ", sockets[1])
}

/// `enum bpf_cmd`
const PROG_TEST_RUN: usize = 10;
const PROG_GET_NEXT_ID: usize = 11;
const PROG_GET_FD_BY_ID: usize = 13;

/// Runs all programs: what fails is of a kind that is not run so, or wants another form of data.
fn test() -> Result<(), Failed> {
    let bpf = |cmd, attr: &mut [u32; 20]| call("bpf", nr::__NR_bpf, [cmd, into(attr), 80, 0, 0, 0]);
    let packet = [0u8; 64];
    let mut next = [0u32; 20];
    while bpf(PROG_GET_NEXT_ID, &mut next).is_ok() {
        let mut id = [0u32; 20];
        (next[0], id[0]) = (next[1], next[1]);
        let fd = bpf(PROG_GET_FD_BY_ID, &mut id)?;
        let mut run = [0u32; 20];
        run[0] = fd as u32;
        if bpf(PROG_TEST_RUN, &mut run).is_err() {
            let address = at(&packet) as u64;
            (run[2], run[4], run[5]) = (64, address as u32, (address >> 32) as u32);
            let _ = bpf(PROG_TEST_RUN, &mut run);
        }
        call("close", nr::__NR_close, [fd, 0, 0, 0, 0, 0])?;
    }
    Ok(())
}

/// What `_start` calls with the stack that the kernel made: argc, then the arguments.
unsafe extern "C" fn entry(stack: *const usize) -> ! {
    // SAFETY: argc, the program's name and a first argument or null stand there in this order.
    let what = unsafe {
        let what = stack.add(2).read();
        (stack.read() > 1).then(|| CStr::from_ptr(what as *const core::ffi::c_char))
    };
    let done = match what {
        Some(w) if w == c"group" => group(),
        Some(w) if w == c"test" => test(),
        Some(w) if w == c"redirect" => redirect(),
        Some(w) if w == c"choose" => choose(),
        _ => all(),
    };
    if let Err((name, e)) = done {
        sys::print(b"! ");
        sys::print(name.as_bytes());
        sys::print(b" ");
        sys::print_number(e as u32);
    }
    sys::exit(done.is_err().into())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(101)
}
