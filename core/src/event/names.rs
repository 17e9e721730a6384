//! Names of errnos and signals, as numbered on every architecture that [`crate::pack::Arch`] knows.
//! Source: `include/uapi/asm-generic/errno-base.h`, `errno.h` and `signal.h`.

use super::value::Number;
use super::write::Writer;
use crate::words::{bytes, nth};

/// From 1 on; `-` where a number is not used.
static ERRNOS: [u8; ERRNO_TEXT.len()] = bytes(ERRNO_TEXT);
const ERRNO_TEXT: &str = "PERM NOENT SRCH INTR IO NXIO 2BIG NOEXEC BADF CHILD AGAIN NOMEM ACCES FAULT NOTBLK BUSY EXIST XDEV \
NODEV NOTDIR ISDIR INVAL NFILE MFILE NOTTY TXTBSY FBIG NOSPC SPIPE ROFS MLINK PIPE DOM RANGE DEADLK NAMETOOLONG NOLCK \
NOSYS NOTEMPTY LOOP - NOMSG IDRM CHRNG L2NSYNC L3HLT L3RST LNRNG UNATCH NOCSI L2HLT BADE BADR XFULL NOANO BADRQC BADSLT \
- BFONT NOSTR NODATA TIME NOSR NONET NOPKG REMOTE NOLINK ADV SRMNT COMM PROTO MULTIHOP DOTDOT BADMSG OVERFLOW NOTUNIQ \
BADFD REMCHG LIBACC LIBBAD LIBSCN LIBMAX LIBEXEC ILSEQ RESTART STRPIPE USERS NOTSOCK DESTADDRREQ MSGSIZE PROTOTYPE \
NOPROTOOPT PROTONOSUPPORT SOCKTNOSUPPORT OPNOTSUPP PFNOSUPPORT AFNOSUPPORT ADDRINUSE ADDRNOTAVAIL NETDOWN NETUNREACH \
NETRESET CONNABORTED CONNRESET NOBUFS ISCONN NOTCONN SHUTDOWN TOOMANYREFS TIMEDOUT CONNREFUSED HOSTDOWN HOSTUNREACH \
ALREADY INPROGRESS STALE UCLEAN NOTNAM NAVAIL ISNAM REMOTEIO DQUOT NOMEDIUM MEDIUMTYPE CANCELED NOKEY KEYEXPIRED \
KEYREVOKED KEYREJECTED OWNERDEAD NOTRECOVERABLE RFKILL HWPOISON";

static SIGNALS: [u8; SIGNAL_TEXT.len()] = bytes(SIGNAL_TEXT);
const SIGNAL_TEXT: &str = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP \
TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/// Prints an errno. A negative number is one, `-ENOENT`; a positive number of a signed type is a result that is none (bytes
/// read, a descriptor) and stays a number; of an unsigned type it is one, `ENOENT`.
pub(super) fn errno(w: &mut Writer<'_, '_>, n: Number) {
    let value = n.raw as i64;
    let name = if n.signed && value > 0 { None } else { find(&ERRNOS, value.unsigned_abs()) };
    put(w, n, if value < 0 { "-E" } else { "E" }, name);
}

/// Prints a signal: `SIGTERM`; a real-time one as its number.
pub(super) fn signal(w: &mut Writer<'_, '_>, n: Number) {
    put(w, n, "SIG", find(&SIGNALS, n.raw));
}

fn put(w: &mut Writer<'_, '_>, n: Number, prefix: &str, name: Option<&str>) {
    match name {
        Some(name) => {
            w.quote();
            w.out.put_str(prefix);
            w.out.put_str(name);
            w.quote();
        }
        None if n.signed => w.signed(n.raw as i64),
        None => w.unsigned(n.raw),
    }
}

fn find(names: &'static [u8], number: u64) -> Option<&'static str> {
    let index = usize::try_from(number.checked_sub(1)?).ok()?;
    nth(names, b' ', index).filter(|&name| name != "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_ends_and_round_the_gaps() {
        let errno = |n| find(&ERRNOS, n);
        assert_eq!(errno(0), None);
        assert_eq!(errno(1), Some("PERM"));
        assert_eq!(errno(2), Some("NOENT"));
        assert_eq!(errno(36), Some("NAMETOOLONG"));
        assert_eq!(errno(41), None);
        assert_eq!(errno(42), Some("NOMSG"));
        assert_eq!(errno(58), None);
        assert_eq!(errno(59), Some("BFONT"));
        assert_eq!(errno(95), Some("OPNOTSUPP"));
        assert_eq!(errno(111), Some("CONNREFUSED"));
        assert_eq!(errno(133), Some("HWPOISON"));
        assert_eq!(errno(134), None);
        assert_eq!(find(&SIGNALS, 15), Some("TERM"));
        assert_eq!(find(&SIGNALS, 31), Some("SYS"));
        assert_eq!(find(&SIGNALS, u64::MAX), None);
    }
}
