//! CO-RE relocation of the functions that the chosen programs reach, and what is said of relocations that did not match.

use crate::arena::Arena;
use crate::exit::{Done, Exit};
use crate::object::Sections;
use crate::say::{
    Arg::{self, B, N, P, S, T},
    bad, bare, text,
};
use crate::session::Session;
use crate::sys::{Kernel, slots};
use corelet_core::pack::{self, Relo, Subset};
use corelet_core::relo::{
    CandList, Cands, CoreRelo, Outcome, PoisonReason, ReloKind, Relocator, Scratch, Spec, SpecText,
};
use corelet_core::{Endian, TypeId, insn};

/// The engine's form of a record.
pub fn core_relo(relo: &Relo) -> corelet_core::Result<CoreRelo> {
    let kind = ReloKind::from_number(relo.kind.into())?;
    Ok(CoreRelo { insn: relo.insn, type_id: relo.type_id, access_str_off: relo.access_str_off, kind })
}

/// Relocates in `insns`, all of the object's, the functions that `used` marks with 1. Of each function the first relocation that
/// poisoned is said, with `--verbose` all of them: an object of all architectures has dozens, in branches that are not taken.
///
/// # Errors
/// [`Exit::NotPortable`] where a relocation cannot be done at all; a poisoned one is no error.
pub fn relocate<K: Kernel>(
    kernel: &mut K,
    s: &Sections<'_>,
    target: &Subset<'_>,
    used: &[u8],
    insns: &mut [u8],
    mut arena: Arena<'_>,
    session: &mut Session<'_>,
) -> Done<()> {
    // ids run from 1 to the number of types
    let types = s.btf.id_end().saturating_sub(1) as usize;
    let seen = arena.take(kernel, (types / 8).saturating_add(1))?;
    seen.fill(0);
    let counted = pack::candidates(&s.btf, target, s.relos(), seen);
    let (roots, candidates) = bad(kernel, s.path, counted)?;
    let scratch = slots(arena.take(kernel, size_of::<Scratch>())?, Scratch::default);
    let lists = slots(arena.take(kernel, roots.saturating_mul(size_of::<CandList>()))?, CandList::default);
    let pool = slots(arena.take(kernel, candidates.saturating_mul(size_of::<TypeId>()))?, TypeId::default);
    let Some(scratch) = scratch.first_mut() else { return Ok(()) };
    let mut relocator = Relocator { local: &s.btf, target, cands: Cands::new(lists, pool), scratch };
    let (mut said, mut unsaid) = (None, 0u32);
    for relo in s.relos() {
        let relo = bad(kernel, s.path, relo)?;
        if used.get(usize::from(relo.function)) != Some(&1) {
            continue;
        }
        let function = bad(kernel, s.path, s.function(relo.function))?;
        let start = (function.start as usize).saturating_mul(insn::INSN_SIZE);
        let len = (function.count as usize).saturating_mul(insn::INSN_SIZE);
        let code = insns.get_mut(start..).and_then(|i| i.get_mut(..len));
        let code = bad(kernel, s.path, code.ok_or(corelet_core::Error::NoSuchInsn { insn: function.start }))?;
        let core_relo = bad(kernel, s.path, core_relo(&relo))?;
        let outcome = relocator.relocate(&core_relo, code, Endian::HOST, &mut ());
        let spec = relocator.scratch.local();
        match outcome {
            Ok(Outcome::Patched { .. }) => session.counts.patched = session.counts.patched.saturating_add(1),
            Ok(Outcome::Poisoned(why)) => {
                session.counts.poisoned = session.counts.poisoned.saturating_add(1);
                if !session.options.verbose && said == Some(relo.function) {
                    unsaid = unsaid.saturating_add(1);
                    continue;
                }
                said = Some(relo.function);
                let sizes;
                let why = match why {
                    // a pack's types leave out what does not match, so the two cannot be told apart here
                    PoisonReason::NoCandidate | PoisonReason::NoMatch => {
                        S("this kernel has no such type, or none with such a field or value")
                    }
                    PoisonReason::MemSize { local, target } => {
                        sizes = [N(local.into()), N(target.into())];
                        P("% bytes in the object, % in this kernel", &sizes)
                    }
                };
                let form = "corelet-loader: %: %; poisoned, which is right where the program checks first";
                describe(kernel, s, &relo, spec, form, why);
            }
            Err(e) => {
                describe(kernel, s, &relo, spec, text!("corelet-loader: %: relocation failed: %"), B(e));
                return Err(Exit::NotPortable);
            }
        }
    }
    if unsaid > 0 {
        let form = "corelet-loader: %: and % more in the same programs poisoned: --verbose names each";
        bare(kernel, form, &[S(s.object.name), N(unsaid.into())]);
    }
    Ok(())
}

/// Says a line of two parts. The first is where a relocation is, `OBJECT: FUNCTION insn M, line N`, and what it asks, in
/// libbpf's words; by its raw access string where that does not parse.
#[cold]
#[inline(never)]
pub fn describe<K: Kernel>(
    kernel: &mut K,
    s: &Sections<'_>,
    relo: &Relo,
    spec: &Spec,
    form: &str,
    more: Arg<'_>,
) {
    let function = s.function(relo.function).map_or("", |f| f.name);
    let line = [N(relo.line.into())];
    let line = if relo.line != 0 { P(text!(", line %"), &line) } else { S("") };
    let kind = ReloKind::from_number(relo.kind.into()).map_or("", ReloKind::name);
    let text = SpecText { spec, btf: &s.btf, root_id: relo.type_id.0 };
    let raw;
    let what = match s.btf.ty(relo.type_id) {
        Ok(t) if spec.root != relo.type_id => {
            raw = [S(t.kind().name()), S(s.btf.name(&t)), S(s.btf.string(relo.access_str_off))];
            P(text!("% %, access %"), &raw)
        }
        _ => T(&text),
    };
    let args = [S(s.object.name), S(function), N(relo.insn.into()), line, S(kind), what];
    bare(kernel, form, &[P(text!("%: % insn %%: % of %"), &args), more]);
}
