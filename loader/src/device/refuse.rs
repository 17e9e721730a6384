//! Why a program cannot be attached to a device, in words.

use super::attached::Entry;
use super::netlink::Refused;
use super::{Job, interface};
use crate::exit::Exit;
use crate::say::{
    Arg::{self, E, N, P, S},
    fail, text,
};
use crate::sys::{Errno, Kernel, Kind as Object};
use crate::tracefs::until_nul;
use corelet_core::device::Kind;
use corelet_core::device::option::{DEFRAG, EGRESS, INGRESS, NATIVE, OFFLOAD, ORDER};

/// `ENXIO`, which netkit says of another device.
const ENXIO: Errno = Errno(6);
/// `ERANGE`, which netfilter says of a priority.
const ERANGE: Errno = Errno(34);

impl Job<'_, '_> {
    /// Says why.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse<K: Kernel>(&self, kernel: &mut K, entry: &Entry, refused: &Refused) -> Exit {
        let Refused { errno, words } = refused;
        let interface = [S(&entry.name)];
        // who is there already
        let (id, other) = match (entry.kind, *errno) {
            (Kind::Xdp, Errno::EBUSY | Errno::EEXIST) => program_of(kernel, &entry.name),
            _ => (0, [0; 16]),
        };
        let name = until_nul(&other).to_str().unwrap_or("");
        let there = [S(&entry.name), N(id.into()), S(name)];
        let twice = [S(&entry.name), S(&entry.name)];
        let (exit, why) = self.why(entry, *errno, (&interface, &twice), &there);
        let said = [S(words)];
        let kernel_says = if words.is_empty() { S("") } else { P(text!(" (the kernel: %)"), &said) };
        let place = if entry.kind == Kind::Netfilter { S("netfilter") } else { S(&entry.name) };
        let object = S(self.s.object.name);
        let args =
            [object, S(self.program.name), S(self.program.section), place, E(*errno), kernel_says, why];
        fail(kernel, exit, text!("%: cannot attach % (%) to %: %%%"), &args)
    }

    #[cold]
    #[inline(never)]
    fn why<'t>(
        &self,
        entry: &Entry,
        errno: Errno,
        (interface, twice): (&'t [Arg<'t>], &'t [Arg<'t>]),
        there: &'t [Arg<'t>],
    ) -> (Exit, Arg<'t>) {
        let how = &entry.how;
        let is_tc = matches!(entry.kind, Kind::Tc | Kind::Action);
        match (entry.kind, errno) {
            (_, Errno::ENODEV) if entry.index == 0 => {
                (Exit::Missing, P(text!("; there is no interface % here (--follow waits for it)"), interface))
            }
            (Kind::Netkit, Errno::EINVAL | Errno::EACCES | ENXIO) => {
                let form = text!("; % is no netkit device, or the peer of one; they came with Linux 6.7");
                (Exit::NotPortable, P(form, interface))
            }
            (_, Errno::EPERM | Errno::EACCES) => {
                (Exit::Missing, S(text!("; this needs root, or CAP_BPF and CAP_NET_ADMIN")))
            }
            // nothing was tried yet
            _ if is_tc && !how.has(INGRESS | EGRESS) => {
                (Exit::Usage, P(text!("; say a direction: %,ingress or %,egress"), twice))
            }
            (Kind::Xdp, Errno::EBUSY | Errno::EEXIST) => {
                let form = text!(
                    "; % has the program % (%) already: detach that, or say `replace` where it was attached by rtnetlink"
                );
                (Exit::Again, P(form, there))
            }
            (Kind::Netfilter, Errno::EBUSY) => (
                Exit::Again,
                S(text!("; another program has that hook with that priority: say another prio")),
            ),
            (_, Errno::EEXIST) => (Exit::Again, S(text!("; it is attached there already"))),
            (Kind::Xdp, _) if how.has(OFFLOAD) => {
                (Exit::NotPortable, P(text!("; % runs no programs in its hardware"), interface))
            }
            (Kind::Xdp, Errno::EOPNOTSUPP) if how.has(NATIVE) => {
                (Exit::NotPortable, P(text!("; the driver of % takes no XDP: say `generic`"), interface))
            }
            (Kind::Tc | Kind::Netkit, Errno::ENOENT) if how.has(ORDER) => (
                Exit::NotPortable,
                S(text!("; the program that it is to stand beside is not attached there")),
            ),
            (Kind::Tc, Errno::EINVAL) if how.has(ORDER) => {
                (Exit::NotPortable, S(text!("; an order among programs came with tcx, in Linux 6.6")))
            }
            (Kind::Tc | Kind::Action, Errno::ENOENT) => {
                let form = text!("; this kernel lacks CONFIG_NET_SCH_INGRESS, NET_CLS_BPF or their modules");
                (Exit::Missing, S(form))
            }
            (Kind::Netfilter, ERANGE) if how.has(DEFRAG) => {
                (Exit::NotPortable, S(text!("; with `defrag` a priority above -400")))
            }
            (Kind::Netfilter, Errno::EINVAL) => {
                (Exit::NotPortable, S(text!("; programs of netfilter came with Linux 6.4")))
            }
            _ => (errno.exit(), S("")),
        }
    }
}

/// Id and name of the XDP program that an interface has; 0 and none where that cannot be told.
#[cold]
#[inline(never)]
fn program_of<K: Kernel>(kernel: &mut K, interface: &str) -> (u32, [u8; 16]) {
    let Ok(socket) = kernel.netlink(0) else { return (0, [0; 16]) };
    let id = interface::find(kernel, socket, interface).map_or(0, |found| found.xdp);
    kernel.close(socket);
    match kernel.obj_by_id(Object::Prog, id) {
        Ok((fd, name)) => {
            kernel.close(fd);
            (id, name)
        }
        Err(_) => (id, [0; 16]),
    }
}
