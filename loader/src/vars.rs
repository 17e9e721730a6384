//! `--set`: changing the programs' variables before they start, by name, checked against their types.

use crate::exit::{Done, Exit};
use crate::number::integer;
use crate::say::{
    Arg::{N, S},
    fail, text,
};
use crate::session::Session;
use crate::sys::Kernel;
use corelet_core::TypeId;
use corelet_core::btf::{Btf, Kind, encoding};
use corelet_core::pack::{Alias, Checked};

/// Why a value does not fit a type.
enum Misfit {
    /// It is not a number of this many bits, signed or not.
    Range { bits: u32, signed: bool },
    /// It is neither true nor false.
    Bool,
    /// It is neither an enumerator's name nor a number.
    Enum,
    /// The text has more bytes than fit with a NUL.
    TooLong { bytes: u32 },
    /// Variables of this kind cannot be set.
    Kind(Kind),
}

/// Applies the `--set` options that name a variable of the DATASEC `datasec`, or one of the `aliases` of it, to its contents.
///
/// # Errors
/// [`Exit::Usage`] for a value that does not fit, with the type and its range.
pub fn apply<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    btf: &Btf<'_>,
    aliases: Checked<'_, Alias<'_>>,
    datasec: TypeId,
    contents: &mut [u8],
) -> Done<bool> {
    if session.options.sets.is_empty() {
        Ok(false)
    } else {
        set(kernel, session, btf, aliases, datasec, contents)
    }
}

#[cold] // where nothing is set, its code is no memory
#[inline(never)]
fn set<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    btf: &Btf<'_>,
    aliases: Checked<'_, Alias<'_>>,
    datasec: TypeId,
    contents: &mut [u8],
) -> Done<bool> {
    let mut any = false;
    let Ok(section) = btf.ty(datasec) else { return Ok(false) };
    for var in section.vars() {
        let Ok(t) = btf.ty(var.ty) else { continue };
        let name = btf.name(&t);
        for (i, set) in session.options.sets.iter().enumerate() {
            let value = |name: &str| set.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
            let alias = || aliases.clone().filter(|a| a.variable == name).find_map(|a| value(a.name));
            let Some(text) = value(name).or_else(alias) else { continue };
            let place = contents.get_mut(var.offset as usize..).and_then(|p| p.get_mut(..var.size as usize));
            let misfit = match place {
                Some(place) => put(btf, t.target(), text, place),
                None => Err(Misfit::Kind(t.kind())),
            };
            if let Err(misfit) = misfit {
                return Err(refuse(kernel, set, btf, t.target(), misfit));
            }
            session.sets_used |= 1 << i;
            any = true;
        }
    }
    Ok(any)
}

/// Writes `text` as a value of type `ty` into `place`.
#[cold]
#[inline(never)]
fn put(btf: &Btf<'_>, ty: TypeId, text: &str, place: &mut [u8]) -> Result<(), Misfit> {
    let t = btf.skip_mods(ty).map_err(|_| Misfit::Kind(Kind::Unknown))?;
    let bits = (place.len() as u32).saturating_mul(8);
    let value = match (t.kind(), t.int()) {
        (Kind::Int, Some(int)) if int.encoding & encoding::BOOL != 0 => match text {
            "true" | "1" => 1,
            "false" | "0" => 0,
            _ => return Err(Misfit::Bool),
        },
        (Kind::Int, Some(int)) => ranged(text, bits, int.encoding & encoding::SIGNED != 0)?,
        (Kind::Enum | Kind::Enum64, _) => match t.enumerators().find(|e| btf.string(e.name_off) == text) {
            Some(e) => e.value,
            None => ranged(text, bits, t.kflag()).map_err(|_| Misfit::Enum)?,
        },
        (Kind::Array, _) => {
            let elem = t.array().and_then(|a| btf.skip_mods(a.elem).ok());
            if elem.is_none_or(|e| e.kind() != Kind::Int || e.size() != 1) {
                return Err(Misfit::Kind(Kind::Array));
            }
            if text.len() >= place.len() {
                return Err(Misfit::TooLong { bytes: place.len() as u32 });
            }
            place.fill(0);
            for (slot, b) in place.iter_mut().zip(text.bytes()) {
                *slot = b;
            }
            return Ok(());
        }
        (kind, _) => return Err(Misfit::Kind(kind)),
    };
    let bytes = value.to_le_bytes();
    match bytes.get(..place.len()) {
        // a value's low bytes come first on every architecture that has a loader
        Some(low) => place.iter_mut().zip(low).for_each(|(to, &from)| *to = from),
        None => return Err(Misfit::Kind(t.kind())),
    }
    Ok(())
}

/// The two's complement of the number `text`, if it is one of `bits` bits.
#[cold]
#[inline(never)]
fn ranged(text: &str, bits: u32, signed: bool) -> Result<u64, Misfit> {
    let misfit = Misfit::Range { bits, signed };
    let Some((negative, magnitude)) = integer(text).filter(|_| (1..=64).contains(&bits)) else {
        return Err(misfit);
    };
    let (least, most) = limits(bits, signed);
    let limit = if negative { least } else { most };
    if magnitude > limit {
        return Err(misfit);
    }
    Ok(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// The largest magnitudes of an integer of 1 to 64 bits: of a negative number, and of another.
fn limits(bits: u32, signed: bool) -> (u64, u64) {
    let most = u64::MAX >> 64u32.saturating_sub(bits).min(63) >> u32::from(signed);
    (if signed { most.wrapping_add(1) } else { 0 }, most)
}

#[cold]
#[inline(never)]
fn refuse<K: Kernel>(kernel: &mut K, set: &str, btf: &Btf<'_>, ty: TypeId, misfit: Misfit) -> Exit {
    let name = btf.skip_mods(ty).map_or("", |t| btf.name(&t));
    let mut numbers = [N(0), N(0)];
    let (form, name) = match misfit {
        Misfit::Range { bits, signed } => {
            let (least, most) = limits(bits, signed);
            numbers = [N(least), N(most)];
            (if signed { text!("--set %: % takes -% to %") } else { text!("--set %: % takes % to %") }, name)
        }
        Misfit::Bool => (text!("--set %: bool takes true or false"), name),
        Misfit::Enum => (text!("--set %: not an enumerator of enum %"), name),
        Misfit::TooLong { bytes } => {
            numbers = [N(bytes.saturating_sub(1).into()), N(0)];
            (text!("--set %%: text of % bytes at most"), "")
        }
        Misfit::Kind(kind) => (text!("--set %: a variable of kind % cannot be set"), kind.name()),
    };
    let [first, second] = numbers;
    fail(kernel, Exit::Usage, form, &[S(set), S(name), first, second])
}

/// Refuses `--set` options that named no variable of any object.
#[cold]
#[inline(never)]
pub fn all_used<K: Kernel>(kernel: &mut K, session: &Session<'_>) -> Done<()> {
    for (i, set) in session.options.sets.iter().enumerate() {
        if session.sets_used & 1 << i == 0 {
            return Err(fail(
                kernel,
                Exit::Usage,
                text!("--set %: the pack has no such variable"),
                &[S(set)],
            ));
        }
    }
    Ok(())
}
