//! The system calls of outputs, on the kernel that the tests run on.

use corelet_loader::sys::{Address, Errno, Fd, Kernel, Linux, Open};
use std::ffi::CString;
use std::io::Read;
use std::net::UdpSocket;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("corelet-output-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn files_are_made_appended_to_and_renamed() {
    let folder = Folder::new("files");
    let (path, old) = (folder.path("out"), folder.path("out.1"));
    let name = |s: &str| CString::new(s).unwrap();
    for text in [b"one\n", b"two\n"] {
        let fd = Linux.open(&name(&path), Open::Create).unwrap();
        assert_eq!(Linux.write(fd, text), Ok(4));
        Linux.close(fd);
    }
    Linux.rename(&name(&path), &name(&old)).unwrap();
    assert_eq!(std::fs::read(&old).unwrap(), b"one\ntwo\n");
    assert_eq!(Linux.rename(&name(&path), &name(&old)), Err(Errno::ENOENT));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&old).unwrap().permissions().mode() & 0o700, 0o600);
}

#[test]
fn sockets_of_each_kind_take_what_is_written() {
    let folder = Folder::new("sockets");
    let stream = folder.path("stream");
    assert_eq!(Linux.connect(&Address::unix(stream.as_bytes(), false).unwrap()), Err(Errno::ENOENT));
    let listener = UnixListener::bind(&stream).unwrap();
    let fd = Linux.connect(&Address::unix(stream.as_bytes(), false).unwrap()).unwrap();
    assert!(Linux.writable(fd));
    assert_eq!(Linux.write(fd, b"hello"), Ok(5));
    Linux.close(fd);
    let mut text = String::new();
    listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello");

    let log = folder.path("log");
    let socket = UnixDatagram::bind(&log).unwrap();
    received(&Address::unix(log.as_bytes(), true).unwrap(), &mut |buf| socket.recv(buf).unwrap());

    // an abstract name, as systemd gives in NOTIFY_SOCKET
    let name = format!("corelet-output-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let address = Address::unix(format!("@{name}").as_bytes(), true).unwrap();
    received(&address, &mut |buf| socket.recv(buf).unwrap());

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    received(&Address::udp([127, 0, 0, 1], port), &mut |buf| socket.recv(buf).unwrap());
    assert_eq!(Address::unix(&[b'x'; 108], true), None);
}

/// Two datagrams arrive as two.
fn received(address: &Address, receive: &mut dyn FnMut(&mut [u8]) -> usize) {
    let fd: Fd = Linux.connect(address).unwrap();
    for text in [&b"a record"[..], b"b"] {
        assert_eq!(Linux.write(fd, text), Ok(text.len()));
    }
    Linux.close(fd);
    let mut buf = [0; 64];
    let len = receive(&mut buf);
    assert_eq!(&buf[..len], b"a record");
    assert_eq!(receive(&mut buf), 1);
}

#[test]
fn the_wall_clock_is_that_of_the_system() {
    let ns = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let before = ns();
    let now = Linux.real_time();
    assert!(before <= now && now <= ns());
}
