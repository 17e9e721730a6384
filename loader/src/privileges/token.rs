//! A BPF token (6.9): what a bpffs was mounted with (`delegate_cmds` and its like) stands for capabilities that the process has not, or
//! has in its own user namespace only. Source: `kernel/bpf/token.c`.

use crate::exit::{Done, Exit};
use crate::say::{
    Arg::{E, S},
    fail, text,
};
use crate::session::Session;
use crate::sys::{Errno, Kernel, Open};
use core::ffi::CStr;

/// Makes a token from the bpffs that is mounted on `dir`. Types, maps and programs are made with it from then on.
///
/// # Errors
/// Said: what the mount, the kernel or the process lacks.
#[cold]
#[inline(never)]
pub fn take<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, dir: &CStr) -> Done<()> {
    let name = dir.to_str().unwrap_or("");
    let bpffs = match kernel.open(dir, Open::Read) {
        Ok(bpffs) => bpffs,
        Err(e) => return Err(fail(kernel, Exit::Missing, text!("--token %: %"), &[S(name), E(e)])),
    };
    let token = kernel.take_token(bpffs);
    kernel.close(bpffs);
    match token {
        Ok(token) => session.ledger.keep(kernel, token).map(drop),
        Err(e) => {
            let since = session.identity.is_at_least(6, 9);
            let args = [S(name), E(e), S(why(e, since))];
            Err(fail(
                kernel,
                if since { Exit::Missing } else { Exit::NotPortable },
                text!("--token %: no token: %; %"),
                &args,
            ))
        }
    }
}

fn why(e: Errno, since: bool) -> &'static str {
    match e {
        _ if !since => text!("tokens came with Linux 6.9"),
        Errno::EINVAL => text!("it is not the place where a bpffs is mounted"),
        Errno::ENOENT => {
            text!(
                "nothing is delegated there: whoever may mounts it with delegate_cmds, delegate_maps, delegate_progs, delegate_attachs"
            )
        }
        Errno::EOPNOTSUPP => {
            text!("a token is for a user namespace of its own; in the first one capabilities serve")
        }
        Errno::EPERM => text!("it takes CAP_BPF in the user namespace that the bpffs belongs to"),
        _ => text!("the kernel says no more"),
    }
}

/// What is said of a map that is refused (`EPERM`) although there is a token: a form for the mask of its type.
pub static OF_MAP: &str = text!("; the token may lack delegate_cmds=0x1 (map_create) or delegate_maps=0x%");
/// The same of a program: for the masks of its type and its attach type.
pub static OF_PROGRAM: &str =
    text!("; the token may lack delegate_cmds=0x20 (prog_load), delegate_progs=0x% or delegate_attachs=0x%");
/// The same of types.
pub static OF_TYPES: &str = text!("; the token may lack delegate_cmds=0x40000 (btf_load)");

/// The bit of a type, as mount options have it, most significant byte first.
pub fn mask(kind: u32) -> [u8; 8] {
    1u64.checked_shl(kind).unwrap_or(0).to_be_bytes()
}
