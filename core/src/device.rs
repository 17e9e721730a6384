//! Where on a network device, or in netfilter, a program is attached: one grammar for manifests and for the loader's command line.
//!
//! ```text
//! INTERFACE[,OPTION]...      XDP, tc, tcx, netkit; the interface may be left to the command line
//! FAMILY,HOOK[,OPTION]...    netfilter: ipv4 or ipv6; prerouting, input, forward, output or postrouting
//! ```
//!
//! Names of hooks are those of nft(8). Time: linear in the text, times the number of options.

use crate::words::nth;

/// Ways of attaching to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `BPF_PROG_TYPE_XDP`, but for programs of maps.
    Xdp,
    /// `BPF_PROG_TYPE_SCHED_CLS`, by tcx or clsact.
    Tc,
    /// `BPF_PROG_TYPE_SCHED_ACT`, an action of a filter that takes every packet.
    Action,
    /// `BPF_PROG_TYPE_SCHED_CLS` for a netkit device.
    Netkit,
    /// `BPF_PROG_TYPE_NETFILTER`
    Netfilter,
}

impl Kind {
    /// How a program of these `enum bpf_prog_type` and `enum bpf_attach_type` is attached; `None` for those of other kinds.
    #[cold]
    #[inline(never)]
    pub fn of(prog_type: u32, expected_attach_type: u32) -> Option<Kind> {
        match (prog_type, expected_attach_type) {
            (3, 54 | 55) => Some(Kind::Netkit),
            (3, _) => Some(Kind::Tc),
            (4, _) => Some(Kind::Action),
            (6, 0 | 37) => Some(Kind::Xdp),
            (32, _) => Some(Kind::Netfilter),
            _ => None,
        }
    }

    /// The first Linux whose `BPF_LINK_CREATE` takes it: major and minor.
    pub fn link_since(self) -> Option<(u32, u32)> {
        match self {
            Kind::Xdp => Some((5, 9)),
            Kind::Tc => Some((6, 6)),
            Kind::Action => None,
            Kind::Netkit => Some((6, 7)),
            Kind::Netfilter => Some((6, 4)),
        }
    }
}

/// Bits of [`How::options`].
#[allow(missing_docs, reason = "WORDS, and the loader's --help")]
pub mod option {
    pub const INGRESS: u32 = 1;
    pub const EGRESS: u32 = 1 << 1;
    pub const GENERIC: u32 = 1 << 2;
    pub const NATIVE: u32 = 1 << 3;
    pub const OFFLOAD: u32 = 1 << 4;
    pub const REPLACE: u32 = 1 << 5;
    pub const NETLINK: u32 = 1 << 6;
    pub const FIRST: u32 = 1 << 7;
    pub const LAST: u32 = 1 << 8;
    pub const DEFRAG: u32 = 1 << 9;
    pub const BEFORE: u32 = 1 << 10;
    pub const AFTER: u32 = 1 << 11;
    pub const PRIORITY: u32 = 1 << 12;

    /// Of which each place has one at most.
    pub const DIRECTION: u32 = INGRESS | EGRESS;
    /// As [`DIRECTION`].
    pub const MODE: u32 = GENERIC | NATIVE | OFFLOAD;
    /// As [`DIRECTION`].
    pub const ORDER: u32 = FIRST | LAST | BEFORE | AFTER;
}

/// The options' words, by their bits; from `before` on they take a number behind `=`.
static WORDS: &[u8] =
    b"ingress egress generic native offload replace netlink first last defrag before after prio";
const WITH_NUMBER: u32 = option::BEFORE;

/// Hooks by their numbers, `enum nf_inet_hooks`.
static HOOKS: &[u8] = b"prerouting input forward output postrouting";

/// `IFNAMSIZ` without the NUL.
pub const MAX_INTERFACE: usize = 15;

/// How a program is attached there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// Bits of [`option`].
    pub options: u32,
    /// Number of the program before or after which it comes.
    pub relative: u32,
    /// Of a clsact filter or a netfilter hook.
    pub priority: i32,
    /// Netfilter: `NFPROTO_IPV4` or `NFPROTO_IPV6`.
    pub family: u8,
    /// Netfilter: `enum nf_inet_hooks`.
    pub hook: u8,
}

impl How {
    /// Whether any of these options is there.
    pub fn has(&self, options: u32) -> bool {
        self.options & options != 0
    }
}

/// A place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The interface's name; empty where the command line says it, and for netfilter.
    pub interface: &'a str,
    /// What more is said.
    pub how: How,
}

impl<'a> Place<'a> {
    /// What `text` says for programs of `kind`.
    ///
    /// # Errors
    /// The word that cannot stand there.
    ///
    /// ```
    /// use corelet_core::device::{Kind, Place, option};
    /// let place = Place::parse("eth0,generic", Kind::Xdp)?;
    /// assert_eq!((place.interface, place.how.options), ("eth0", option::GENERIC));
    /// assert_eq!(Place::parse("eth0,ingress", Kind::Xdp), Err("ingress"));
    /// # Ok::<(), &str>(())
    /// ```
    #[cold]
    #[inline(never)]
    pub fn parse(text: &'a str, kind: Kind) -> Result<Place<'a>, &'a str> {
        // `str::split` would bring a panic path
        let mut rest = Some(text);
        let mut words = core::iter::from_fn(move || {
            let all = rest?;
            let at = all.bytes().position(|b| b == b',');
            rest = at.and_then(|at| all.get(at.saturating_add(1)..));
            all.get(..at.unwrap_or(all.len()))
        });
        let first = words.next().unwrap_or("");
        let mut place = Place::default();
        if kind == Kind::Netfilter {
            place.how.family = match first {
                "ipv4" => 2,
                "ipv6" => 10,
                _ => return Err(first),
            };
            let hook = words.next().unwrap_or("");
            place.how.hook = number_of(HOOKS, hook).ok_or(hook)? as u8;
        } else if !is_interface(first) && !first.is_empty() {
            return Err(first);
        } else {
            place.interface = first;
        }
        let allowed = allowed(kind);
        for word in words {
            let (name, value) = match word.bytes().position(|b| b == b'=') {
                Some(at) => word.split_at_checked(at).unwrap_or((word, "")),
                None => (word, ""),
            };
            let bit = 1u32.checked_shl(number_of(WORDS, name).ok_or(word)?).unwrap_or(0);
            let group = [option::DIRECTION, option::MODE, option::ORDER].into_iter().find(|g| g & bit != 0);
            let taken = place.how.options & group.unwrap_or(bit) != 0;
            let number = integer(value.get(1..).unwrap_or(""));
            if bit & allowed == 0 || taken || (bit >= WITH_NUMBER) != number.is_some() {
                return Err(word);
            }
            place.how.options |= bit;
            match (bit, number.unwrap_or(0)) {
                // a clsact filter's has 16 bits and is not 0
                (option::PRIORITY, n) if kind != Kind::Netfilter && !(1..=0xffff).contains(&n) => {
                    return Err(word);
                }
                (option::PRIORITY, n) => place.how.priority = i32::try_from(n).map_err(|_| word)?,
                (_, n) => place.how.relative = u32::try_from(n).map_err(|_| word)?,
            }
        }
        Ok(place)
    }
}

/// Options that programs of a kind have.
#[cold]
#[inline(never)]
fn allowed(kind: Kind) -> u32 {
    match kind {
        Kind::Xdp => option::MODE | option::REPLACE | option::NETLINK,
        Kind::Tc => option::DIRECTION | option::ORDER | option::NETLINK | option::PRIORITY,
        Kind::Action => option::DIRECTION | option::PRIORITY,
        Kind::Netkit => option::ORDER,
        Kind::Netfilter => option::DEFRAG | option::PRIORITY,
    }
}

/// Whether the kernel takes this for an interface's name. Source: `dev_valid_name`, kernel `net/core/dev.c`.
#[cold]
#[inline(never)]
pub fn is_interface(name: &str) -> bool {
    let sound = |b: u8| !matches!(b, b'/' | b':') && !b.is_ascii_whitespace() && b > b' ';
    (1..=MAX_INTERFACE).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(sound)
}

/// The place of a word in a list, from 0.
#[cold]
#[inline(never)]
fn number_of(list: &'static [u8], word: &str) -> Option<u32> {
    (0u32..16).find(|&n| !word.is_empty() && nth(list, b' ', n as usize) == Some(word))
}

/// A decimal number, maybe negative.
#[cold]
#[inline(never)]
fn integer(text: &str) -> Option<i64> {
    let mut bytes = text.bytes();
    let negative = text.starts_with('-');
    if negative {
        bytes.next();
    }
    let mut n = None;
    for b in bytes {
        let digit = b.is_ascii_digit().then(|| i64::from(b.wrapping_sub(b'0')))?;
        n = Some(n.unwrap_or(0i64).checked_mul(10)?.checked_add(digit)?);
    }
    if negative { n.and_then(i64::checked_neg) } else { n }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let how = |text, kind| Place::parse(text, kind).map(|p| p.how);
        assert_eq!(Place::parse("", Kind::Xdp), Ok(Place::default()));
        assert_eq!(Place::parse("eth0", Kind::Netkit).unwrap().interface, "eth0");
        assert_eq!(how(",native,replace", Kind::Xdp).unwrap().options, option::NATIVE | option::REPLACE);
        let tc = how("br-lan.1,egress,before=12", Kind::Tc).unwrap();
        assert_eq!((tc.options, tc.relative), (option::EGRESS | option::BEFORE, 12));
        let old = how("eth0,ingress,netlink,prio=49152", Kind::Tc).unwrap();
        assert_eq!(old.priority, 49152);
        let nf = how("ipv6,postrouting,prio=-300,defrag", Kind::Netfilter).unwrap();
        assert_eq!((nf.family, nf.hook, nf.priority), (10, 4, -300));
        assert!(nf.has(option::DEFRAG));
    }

    #[test]
    fn the_word_that_is_wrong_is_named() {
        for (text, kind, word) in [
            ("a/b", Kind::Xdp, "a/b"),
            ("abcdefghijklmnop", Kind::Xdp, "abcdefghijklmnop"),
            ("..", Kind::Xdp, ".."),
            ("eth0,", Kind::Xdp, ""),
            ("eth0,generic,native", Kind::Xdp, "native"),
            ("eth0,generic,generic", Kind::Xdp, "generic"),
            ("eth0,generic=1", Kind::Xdp, "generic=1"),
            ("eth0,ingress,egress", Kind::Tc, "egress"),
            ("eth0,first,after=3", Kind::Tc, "after=3"),
            ("eth0,before", Kind::Tc, "before"),
            ("eth0,before=-1", Kind::Tc, "before=-1"),
            ("eth0,before=x", Kind::Tc, "before=x"),
            ("eth0,prio=0", Kind::Tc, "prio=0"),
            ("eth0,prio=65536", Kind::Action, "prio=65536"),
            ("eth0,first", Kind::Action, "first"),
            ("eth0,ingress", Kind::Netkit, "ingress"),
            ("arp,input", Kind::Netfilter, "arp"),
            ("ipv4", Kind::Netfilter, ""),
            ("ipv4,ingress", Kind::Netfilter, "ingress"),
            ("ipv4,input,prio=3000000000", Kind::Netfilter, "prio=3000000000"),
            ("ipv4,input,prio=99999999999999999999", Kind::Netfilter, "prio=99999999999999999999"),
        ] {
            assert_eq!(Place::parse(text, kind), Err(word), "{text}");
        }
    }

    #[test]
    fn kinds_are_those_of_their_types() {
        let all = [(6, 37), (6, 33), (3, 0), (3, 46), (3, 54), (4, 0), (32, 45), (1, 0)];
        let kinds = all.map(|(prog_type, attach_type)| Kind::of(prog_type, attach_type));
        use Kind::{Action, Netfilter, Netkit, Tc, Xdp};
        let expected =
            [Some(Xdp), None, Some(Tc), Some(Tc), Some(Netkit), Some(Action), Some(Netfilter), None];
        assert_eq!(kinds, expected);
    }
}
