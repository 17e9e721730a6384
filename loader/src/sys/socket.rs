//! Addresses of sockets: `struct sockaddr_un` and `struct sockaddr_in`.

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
/// `sun_path` begins behind the family; it has 108 bytes.
const FAMILY: usize = 2;

/// Where to connect a socket to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    bytes: [u8; FAMILY + 108],
    len: usize,
    packets: bool,
}

impl Address {
    #[cold] // no memory where there is no socket (link.ld)
    #[inline(never)]
    fn new(family: u16, rest: impl Iterator<Item = u8>, packets: bool) -> Option<Address> {
        let mut a = Address { bytes: [0; FAMILY + 108], len: 0, packets };
        for b in family.to_ne_bytes().into_iter().chain(rest) {
            *a.bytes.get_mut(a.len)? = b;
            a.len = a.len.saturating_add(1);
        }
        Some(a)
    }

    /// A socket in the file system, or by the abstract name behind `@`, of datagrams or of a stream; `None` for what is too long or
    /// empty.
    #[cold]
    pub fn unix(path: &[u8], packets: bool) -> Option<Address> {
        // a path ends with a NUL; an abstract name begins with one, and is as long as it says
        let (first, rest, last) = match path {
            [] => return None,
            [b'@', name @ ..] => (Some(0), name, None),
            path => (None, path, Some(0)),
        };
        Address::new(AF_UNIX, first.into_iter().chain(rest.iter().copied()).chain(last), packets)
    }

    /// A UDP port of an IPv4 address.
    #[cold]
    pub fn udp(address: [u8; 4], port: u16) -> Address {
        let rest = port.to_be_bytes().into_iter().chain(address).chain([0; 8]);
        Address::new(AF_INET, rest, true).unwrap_or(Address {
            bytes: [0; FAMILY + 108],
            len: 0,
            packets: true,
        })
    }

    /// `struct sockaddr`.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// The family.
    pub(super) fn family(&self) -> u16 {
        u16::from_ne_bytes([self.bytes[0], self.bytes[1]])
    }

    /// Whether it takes datagrams.
    pub(super) fn packets(&self) -> bool {
        self.packets
    }
}
