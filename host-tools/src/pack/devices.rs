//! Programs on network devices and in netfilter: the places that a manifest names, what maps of devices hold, and which kernels
//! have the ways of attaching.
//! Source: `link_create` and `bpf_prog_load_check_attach`, kernel `kernel/bpf/syscall.c`, by the versions that brought each.

use super::Kernel;
use super::collect::Collected;
use super::kconfig::kernel_version;
use crate::manifest::Manifest;
use anyhow::{Context, Result, bail, ensure};
use corelet_core::device::option::{NETLINK, ORDER, PRIORITY};
use corelet_core::device::{Kind, Place};
use corelet_core::object::sec_name::{BPF_F_XDP_HAS_FRAGS, SecName};
use corelet_core::pack::{Attach, DeviceValue};

/// `BPF_MAP_TYPE_DEVMAP` and `BPF_MAP_TYPE_DEVMAP_HASH`.
const DEVMAPS: [u32; 2] = [14, 25];
/// `BPF_MAP_TYPE_CPUMAP`
const CPUMAP: u32 = 16;
/// `BPF_XDP_DEVMAP` and `BPF_XDP_CPUMAP` of `enum bpf_attach_type`.
const XDP_DEVMAP: u32 = 33;
const XDP_CPUMAP: u32 = 35;
/// Bytes of a value with a program: `struct bpf_devmap_val` and `bpf_cpumap_val`.
const WITH_PROGRAM: u32 = 8;

/// The attachments of `sec` at each of `places`.
///
/// # Errors
/// A program that is attached to no device, or a word that cannot stand in its place.
pub(super) fn places<'o>(sec: &SecName<'o>, places: &'o [String]) -> Result<Vec<SecName<'o>>> {
    let kind = Kind::of(sec.prog_type, sec.expected_attach_type).context("no kind of device")?;
    let mut out = Vec::new();
    for place in places {
        Place::parse(place, kind).map_err(|word| {
                let form = match kind {
                    Kind::Xdp => "IF[,generic|native|offload][,replace][,netlink]",
                    Kind::Tc => {
                        "IF[,ingress|egress][,first|last|before=ID|after=ID], or IF[,ingress|egress][,prio=N][,netlink]"
                    }
                    Kind::Action => "IF,ingress|egress[,prio=N]",
                    Kind::Netkit => "IF[,first|last|before=ID|after=ID]",
                    Kind::Netfilter => {
                        "ipv4|ipv6,prerouting|input|forward|output|postrouting[,prio=N][,defrag]"
                    }
                };
                anyhow::anyhow!("the manifest's `place = \"{place}\"`: `{word}` cannot stand there; it is {form}")
            })?;
        out.push(SecName { attach: Attach::Device { place }, ..*sec });
    }
    Ok(out)
}

/// Section `DEVICE_VALUES`: what the manifest puts into maps of devices and CPUs.
///
/// # Errors
/// A map of another type, or a program that cannot stand there.
pub(super) fn values<'m>(c: &Collected<'_>, manifest: &'m Manifest) -> Result<Vec<DeviceValue<'m>>> {
    let mut out = Vec::new();
    for (name, said) in manifest.maps.iter().filter(|(_, said)| !said.values.is_empty()) {
        let at = c.maps.iter().position(|m| m.name == name).context("a value of no map")?;
        let spec = &c.maps[at].spec;
        let (attach_type, what) = match spec.map_type {
            ty if DEVMAPS.contains(&ty) => (XDP_DEVMAP, "interface"),
            CPUMAP => (XDP_CPUMAP, "size"),
            ty => bail!("map {name}: `values` is for maps of devices and CPUs, this one is of type {ty}"),
        };
        for value in &said.values {
            ensure!(
                value.interface.is_some() == (what == "interface"),
                "map {name}: value {}: such a map holds `{what}`",
                value.key
            );
            let mut number = 0;
            if let Some(program) = &value.program {
                ensure!(
                    spec.value_size == WITH_PROGRAM,
                    "map {name}: its values have {} bytes, which is no room for a program ({WITH_PROGRAM})",
                    spec.value_size
                );
                let found = c.programs.iter().position(|&(f, sec)| {
                    c.functions[f as usize].name == program && sec.expected_attach_type == attach_type
                });
                let kind = if attach_type == XDP_DEVMAP { "devmap" } else { "cpumap" };
                let found = found.with_context(|| {
                    format!(
                        "map {name}: value {}: the object has no SEC(\"xdp/{kind}\") program `{program}`",
                        value.key
                    )
                })?;
                number = u16::try_from(found + 1)?;
            }
            out.push(DeviceValue {
                map: at as u16,
                key: value.key,
                interface: value.interface.as_deref().unwrap_or(""),
                size: value.size.unwrap_or(0),
                program: number,
            });
        }
    }
    Ok(out)
}

/// Why a kernel cannot attach a program of a device; `None` where it can, or only trying tells.
pub(super) fn impossible(sec: &SecName<'_>, kernel: &Kernel<'_>) -> Option<String> {
    let version = kernel_version(kernel.release, kernel.version).ok()?;
    let before = |(major, minor): (u32, u32)| version < major << 16 | minor << 8;
    if sec.prog_flags & BPF_F_XDP_HAS_FRAGS != 0 && before((5, 18)) {
        return Some("packets in fragments came with Linux 5.18".to_owned());
    }
    let Attach::Device { place } = sec.attach else { return None };
    let kind = Kind::of(sec.prog_type, sec.expected_attach_type)?;
    let how = Place::parse(place, kind).map(|place| place.how).unwrap_or_default();
    let since = kind.link_since().filter(|&since| before(since))?;
    let (major, minor) = since;
    match kind {
        // rtnetlink does it there
        Kind::Xdp | Kind::Action => None,
        Kind::Tc if how.has(NETLINK | PRIORITY) || !how.has(ORDER) => None,
        Kind::Tc => Some(format!("an order among programs takes tcx, which came with Linux {major}.{minor}")),
        Kind::Netkit => Some(format!("netkit devices came with Linux {major}.{minor}")),
        Kind::Netfilter => Some(format!("programs of netfilter came with Linux {major}.{minor}")),
    }
}

/// What is to be said of a program on a kernel where the better way of attaching is not there yet.
pub(super) fn older_way(sec: &SecName<'_>, kernel: &Kernel<'_>) -> Option<String> {
    let version = kernel_version(kernel.release, kernel.version).ok()?;
    let kind = Kind::of(sec.prog_type, sec.expected_attach_type)
        .filter(|_| matches!(sec.attach, Attach::Device { .. }))?;
    let (major, minor) = kind.link_since()?;
    (matches!(kind, Kind::Xdp | Kind::Tc) && version < major << 16 | minor << 8).then(|| {
        format!(
            "attached by rtnetlink, since links for it came with Linux {major}.{minor}: `load` cannot pin it"
        )
    })
}
