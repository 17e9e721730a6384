//! What maps of network devices and CPUs hold from the start: indices of interfaces that only the device knows, and the programs
//! that take the packets there.

use super::interface;
use super::netlink::Refused;
use crate::exit::{Done, Exit};
use crate::job::OpenMap;
use crate::object::Sections;
use crate::say::{
    Arg::{E, N, S},
    bad, fail, text,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel};
use corelet_core::pack::{DeviceValue, section};

/// Fills them. `chosen` has a 1 for each program that is loaded, the first of which the ledger has as number `first`.
///
/// # Errors
/// Said: which map and interface.
#[cold]
#[inline(never)]
pub fn hold<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    s: &Sections<'_>,
    open: &[OpenMap],
    (chosen, first): (&[u8], usize),
) -> Done<()> {
    for value in s.parts.records::<DeviceValue<'_>>(section::DEVICE_VALUES) {
        let map = bad(kernel, s.path, s.maps().at(value.map))?;
        let Some(holder) = open.get(usize::from(value.map)).filter(|open| open.map.fd().0 > 0) else {
            continue;
        };
        let mut prog = Fd(0);
        if let Some(number) = value.program.checked_sub(1) {
            let before = chosen.iter().take(number.into()).filter(|&&flag| flag == 1).count();
            let loaded = chosen.get(usize::from(number)) == Some(&1);
            match session.ledger.get(first.saturating_add(before)).filter(|_| loaded) {
                Some(fd) => prog = fd,
                // left out, which was said: packets would pass by it
                None => continue,
            }
        }
        let mut what = value.size;
        if !value.interface.is_empty() {
            let socket = session.ledger.device.socket(kernel).map_err(Refused::from);
            match socket.and_then(|socket| interface::find(kernel, socket, value.interface)) {
                Ok(found) => what = found.index,
                Err(Refused { errno, .. }) => {
                    let why =
                        if errno == Errno::ENODEV { text!("; there is no such interface here") } else { "" };
                    let args = [S(s.object.name), S(map.name), S(value.interface), E(errno), S(why)];
                    let exit = if errno == Errno::ENODEV { Exit::Missing } else { errno.exit() };
                    return Err(fail(kernel, exit, text!("%: map %: %: %%"), &args));
                }
            }
        }
        // `struct bpf_devmap_val` and `bpf_cpumap_val`; the second half only where a value has it
        let bytes = [what.to_ne_bytes(), prog.0.to_ne_bytes()];
        let bytes = bytes.as_flattened().get(..holder.map.value_len()).unwrap_or(&[]);
        if let Err(e) = kernel.map_update(&holder.map, &value.key.to_ne_bytes(), bytes) {
            let args = [S(s.object.name), S(map.name), N(value.key.into()), E(e)];
            return Err(fail(kernel, e.exit(), text!("%: map %: value % from the start: %"), &args));
        }
    }
    Ok(())
}
