//! Which target of the pack each object is loaded with: law 4, no wrong offset.

use crate::args::{Command, Options};
use crate::exit::{Done, Exit};
use crate::file::{PackFile, SMALL};
use crate::identity::Identity;
use crate::kernel_btf;
use crate::modules;
use crate::say::{
    Arg::{N, S, X},
    bad, bare, fail, say, text,
};
use crate::sys::Kernel;
use corelet_core::limits::MAX_PACK_OBJECTS;
use corelet_core::pack::{Arch, Checked, Memory, Object, Target, section};
use heapless::Vec;

const TARGETS: bool = cfg!(feature = "targets");

/// An object with the target that fits the running kernel.
#[derive(Clone, Copy)]
pub struct Chosen<'f> {
    /// The pack that the object is of.
    pub pack: &'f PackFile<'f>,
    /// The object's number.
    pub object: u16,
    /// The file that holds the target.
    pub file: &'f PackFile<'f>,
    /// The target's number there.
    pub target: u16,
    /// Whether the build id says so; else release, version and architecture do, and kernel ids do not hold.
    pub by_build_id: bool,
    /// Whether no target fits, so that the kernel's own types serve and `target` is the nearest one of the same object.
    own_types: bool,
    /// What loading takes.
    pub memory: Memory,
}

impl Chosen<'_> {
    /// Whether relocation goes by the kernel's own types and not by the target's.
    pub fn own_types(&self) -> bool {
        cfg!(feature = "kernel-btf") && self.own_types
    }
}

/// How well a target fits the running kernel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It is for another object.
    OtherObject,
    /// For another architecture.
    OtherArch,
    /// For another kernel.
    OtherKernel,
    /// For this kernel, with another build of a module.
    OtherModule,
    /// For this kernel, with a module that is not loaded.
    NoModule,
    /// Release, version and architecture are this kernel's.
    Release,
    /// The build id is this kernel's.
    BuildId,
}

fn fit(t: &Target<'_>, digest: &[u8; 32], id: &Identity) -> Fit {
    let pointer = size_of::<usize>() as u8;
    if t.object != *digest {
        Fit::OtherObject
    } else if Arch::from_machine(&id.uname.machine) != Some(t.arch)
        || t.pointer_size != pointer
        || t.big_endian != cfg!(target_endian = "big")
    {
        Fit::OtherArch
    } else if !t.build_id.is_empty() && t.build_id == id.build_id.as_slice() {
        Fit::BuildId
    } else if cfg!(any(feature = "targets", feature = "explain"))
        && t.release == id.uname.release
        && t.version == id.uname.version
    {
        Fit::Release
    } else {
        Fit::OtherKernel
    }
}

/// Chooses a target for every object of `pack`, behind those that are `chosen`. `files` are searched in order.
///
/// # Errors
/// [`Exit::NotPortable`] where an object has none and the kernel's own types do not serve either, with the running kernel and the targets there are.
#[inline(never)] // its frame is gone when objects are loaded
pub fn choose<'f, K: Kernel>(
    kernel: &mut K,
    pack: &'f PackFile<'f>,
    files: &[&'f PackFile<'f>],
    id: &Identity,
    options: &Options<'_>,
    chosen: &mut Vec<Chosen<'f>, MAX_PACK_OBJECTS>,
) -> Done<()> {
    let least = match options.command {
        // the modules of a kernel that does not run are not there
        Command::Preflight => None,
        _ if TARGETS && options.allow_release => Some(Fit::Release),
        _ => Some(Fit::BuildId),
    };
    let before = chosen.len();
    for entry in pack.table().entries().filter(|e| e.id == section::OBJECT) {
        let mut buffer = [0; SMALL];
        let object = pack.object(kernel, entry.owner, &mut buffer)?;
        let best = best(kernel, files, &object.digest, id, least, false)?;
        let target = match best {
            Some((file, target, Fit::BuildId)) => (file, target, true, false),
            Some((file, target, Fit::Release)) if TARGETS && options.allow_release => {
                say_release(kernel, object.name, id);
                (file, target, false, false)
            }
            Some((file, target, Fit::Release | Fit::OtherModule | Fit::OtherKernel))
                if cfg!(feature = "kernel-btf")
                    && !options.only_targets
                    && options.command != Command::Preflight
                    && kernel_btf::is_there(kernel)? =>
            {
                (file, target, false, true)
            }
            other => {
                let close = other.map_or(Fit::OtherObject, |(_, _, fit)| fit);
                return Err(refuse(kernel, files, &object, (id, options), close));
            }
        };
        let (file, target, by_build_id, own_types) = target;
        let mut buffer = [0; 64];
        let bytes = file.small(kernel, section::MEMORY, target, &mut buffer)?;
        let memory = bad(kernel, file.path, Checked::<Memory>::new(bytes, section::MEMORY).at(0))?;
        let one = Chosen { pack, object: entry.owner, file, target, by_build_id, own_types, memory };
        if chosen.push(one).is_err() {
            return Err(too_many(kernel));
        }
    }
    if chosen.len() == before {
        return Err(fail(kernel, Exit::BadInput, text!("%: holds no object"), &[S(pack.path)]));
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn say_release<K: Kernel>(kernel: &mut K, object: &str, id: &Identity) {
    let args = [S(object), S(&id.uname.release), S(&id.uname.version)];
    say(kernel, text!("%: no build id matches; taken by release % and version %"), &args);
}

#[cold]
#[inline(never)]
fn too_many<K: Kernel>(kernel: &mut K) -> Exit {
    fail(kernel, Exit::NotPortable, text!("more than % objects"), &[N(MAX_PACK_OBJECTS as u64)])
}

/// Whether `files` have a target of that object for the kernel of `id`'s build id.
pub fn have<K: Kernel>(
    kernel: &mut K,
    files: &[&PackFile<'_>],
    digest: &[u8; 32],
    id: &Identity,
) -> Done<bool> {
    Ok(matches!(best(kernel, files, digest, id, None, false)?, Some((_, _, Fit::BuildId))))
}

/// Whether `files` have one of every object of `pack`.
pub fn have_all<K: Kernel>(
    kernel: &mut K,
    pack: &PackFile<'_>,
    files: &[&PackFile<'_>],
    id: &Identity,
) -> Done<bool> {
    for entry in pack.table().entries().filter(|e| e.id == section::OBJECT) {
        let mut buffer = [0; SMALL];
        let object = pack.object(kernel, entry.owner, &mut buffer)?;
        if !have(kernel, files, &object.digest, id)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The target that fits best, the first of equals. One that fits `least` or better must find its modules too, else it is said
/// what is loaded instead. With `list`, says each target of this object on the way.
fn best<'f, K: Kernel>(
    kernel: &mut K,
    files: &[&'f PackFile<'f>],
    digest: &[u8; 32],
    id: &Identity,
    least: Option<Fit>,
    list: bool,
) -> Done<Option<(&'f PackFile<'f>, u16, Fit)>> {
    let mut best: Option<(&PackFile<'_>, u16, Fit)> = None;
    for file in files {
        for entry in file.table().entries().filter(|e| e.id == section::TARGET) {
            let mut buffer = [0; SMALL];
            let target = file.target(kernel, entry.owner, &mut buffer)?;
            let mut fit = fit(&target, digest, id);
            if list && fit != Fit::OtherObject {
                describe(
                    kernel,
                    "target",
                    target.arch.name(),
                    target.release,
                    target.version,
                    target.build_id,
                );
            }
            if least.is_some_and(|least| fit >= least) {
                let bytes = file.small(kernel, section::MODULES, entry.owner, &mut buffer)?;
                if !TARGETS && !bytes.is_empty() {
                    say(
                        kernel,
                        text!("%: a target has types of modules: needs the feature targets"),
                        &[S(file.path)],
                    );
                    fit = Fit::OtherModule;
                } else if !bytes.is_empty() {
                    fit = modules::fit(kernel, file.path, bytes, fit)?;
                }
            }
            if best.as_ref().is_none_or(|(_, _, b)| fit > *b) {
                best = Some((file, entry.owner, fit));
            }
        }
    }
    Ok(best)
}

#[cold]
#[inline(never)]
fn describe<K: Kernel>(
    kernel: &mut K,
    what: &str,
    arch: &str,
    release: &str,
    version: &str,
    build_id: &[u8],
) {
    let id = if build_id.is_empty() { S("none") } else { X(build_id) };
    let form =
        if release.is_empty() { text!("  %: %%%, build id %") } else { text!("  %: % %, %, build id %") };
    bare(kernel, form, &[S(what), S(arch), S(release), S(version), id]);
}

#[cold]
#[inline(never)]
fn refuse<K: Kernel>(
    kernel: &mut K,
    files: &[&PackFile<'_>],
    object: &Object<'_>,
    (id, options): (&Identity, &Options<'_>),
    close: Fit,
) -> Exit {
    let why = match close {
        Fit::OtherObject => text!("the pack has no target for this object"),
        Fit::OtherArch => text!("the pack is for another architecture"),
        Fit::OtherKernel => text!("the pack has no target for this kernel"),
        Fit::OtherModule | Fit::NoModule => text!("modules differ"),
        _ => text!("the pack's target has this kernel's release, but another build id"),
    };
    say(kernel, "%: %", &[S(object.name), S(why)]);
    if cfg!(not(feature = "explain")) {
        return Exit::NotPortable;
    }
    let whose = if options.command == Command::Preflight { text!("asked for") } else { text!("running") };
    describe(kernel, whose, &id.uname.machine, &id.uname.release, &id.uname.version, &id.build_id);
    if let Err(exit) = best(kernel, files, &object.digest, id, None, true) {
        return exit;
    }
    if close == Fit::NoModule {
        return Exit::Missing;
    }
    let allow = match close {
        Fit::Release => text!("; or --allow-release if you know that release and version name one build"),
        _ => "",
    };
    let folder = options.targets.to_str().unwrap_or("");
    if !id.build_id.is_empty() {
        bare(kernel, text!("  not there: %/%/%.target"), &[S(folder), X(&object.digest), X(&id.build_id)]);
    }
    let form = text!(
        "  next: make a target of that kernel's image with `corelet target`; install it there or pass it with --target%"
    );
    bare(kernel, form, &[S(allow)]);
    Exit::NotPortable
}
