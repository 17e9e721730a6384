//! Which options of the kernel's configuration an object's programs need, each with the programs and the reason.
//!
//! [`table`] has the data; here they are looked up for an object. A helper that is called behind a condition only is said to
//! be, and refuses no kernel: what the verifier cannot reach it drops, so the program may do without the helper (`calls`).

mod calls;
pub mod table;

use crate::kernel::Config;
use crate::kernel::config::Value;
use anyhow::Result;
use corelet_core::object::sec_name;
use corelet_core::object::{ExternKind, Object, Reference, Referent};
use corelet_core::pack::Attach;
use std::collections::BTreeMap;
use table::{Of, ROWS, Row};

/// Whether a program must run, by its function's number; `None` leaves it out.
pub type Wanted<'w> = &'w dyn Fn(u32) -> Option<Presence>;

/// Whether the device may do without a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Without it the pack is refused.
    Needed,
    /// Where it cannot be attached it is skipped.
    Optional,
}

/// One option, or several of which one will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// With `CONFIG_`; one of them must be set.
    pub options: Vec<String>,
    /// What for, behind "for".
    pub why: String,
    /// The version of Linux that first had what needs it; empty for options that a program names itself.
    pub since: &'static str,
    /// The Kconfig file that defines it; empty likewise.
    pub source: &'static str,
    /// Programs that need it, in the object's order; none where the object does.
    pub programs: Vec<String>,
    /// Whether some needed program, or the object, needs it.
    pub presence: Presence,
    /// Whether all that needs it are calls of helpers that stand behind conditions.
    pub conditional: bool,
}

/// How a configuration answers a need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An option is built in, or has a value.
    Set,
    /// A module, which must be loaded first.
    Module,
    /// Switched off.
    Off,
    /// Not mentioned: Kconfig leaves out what cannot be chosen.
    Absent,
}

impl Need {
    /// What `config` says.
    pub fn answer(&self, config: &Config) -> Answer {
        let all = self.options.iter().map(|option| match config.get(option) {
            None => Answer::Absent,
            Some(Value::No) => Answer::Off,
            Some(Value::Module) => Answer::Module,
            Some(_) => Answer::Set,
        });
        all.min_by_key(|answer| *answer as u8).unwrap_or(Answer::Absent)
    }

    /// Whether a kernel without it cannot run what must run.
    pub fn is_required(&self) -> bool {
        self.presence == Presence::Needed && !self.conditional
    }

    /// `CONFIG_X or CONFIG_Y: program, program: for why (Linux 5.8)`.
    pub fn words(&self, object: &str) -> String {
        let programs = if self.programs.is_empty() { object.to_owned() } else { self.programs.join(", ") };
        let since = if self.since.is_empty() { String::new() } else { format!(" (Linux {})", self.since) };
        let conditional = if self.conditional { CONDITIONAL } else { "" };
        format!("{}: {programs}: for {}{conditional}{since}", self.options.join(" or "), self.why)
    }
}

/// The needs of `object`, sorted by option.
///
/// # Errors
/// The object is damaged.
pub fn needs(object: &Object<'_>, wanted: Wanted<'_>) -> Result<Vec<Need>> {
    let mut needs = Needs::default();
    needs.rows(|of| of == Of::All, None);
    let maps = object.maps().collect::<Result<Vec<_>, _>>()?;
    let externs = object.externs().collect::<Result<Vec<_>, _>>()?;
    let functions: Vec<_> = object.functions().collect();
    let references = object.references().collect::<Result<Vec<Reference>, _>>()?;
    let mut used = vec![false; maps.len()];
    for f in object.functions().filter(|f| f.entry) {
        let Some(presence) = wanted(f.index) else { continue };
        let by = Some((f.name, presence));
        let section = f.section_name.trim_start_matches('?');
        let kind = section.split('/').next().unwrap_or(section);
        needs.rows(|of| matches!(of, Of::Sec(names) if names.contains(&kind)), by);
        if let Ok(Attach::Tracepoint { category, .. }) = sec_name::parse(section).map(|s| s.attach) {
            needs.rows(|of| matches!(of, Of::Category(names) if names.contains(&category)), by);
        }
        let program: Vec<u32> =
            std::iter::once(f.index).chain(crate::pack::reached(&references, f.index)).collect();
        for (helper, certain) in calls::helpers(&functions, &references, object.endian(), &program) {
            let fits = |of| matches!(of, Of::Helper(numbers) if numbers.contains(&helper));
            needs.conditional_rows(fits, by, !certain);
        }
        for r in references.iter().filter(|r| program.contains(&r.function)) {
            match r.to {
                Referent::Map { map } => {
                    if let Some(used) = used.get_mut(map as usize) {
                        *used = true;
                    }
                    let ty = maps.iter().find(|m| m.index == map).map(|m| m.spec.map_type);
                    needs
                        .rows(|of| matches!((of, ty), (Of::Map(types), Some(ty)) if types.contains(&ty)), by);
                }
                Referent::Kconfig { index, .. } => {
                    let named = externs.iter().find(|e| e.index == index && !e.weak);
                    if let Some(e) = named.filter(|e| e.name.starts_with("CONFIG_")) {
                        needs.named(e.name, by);
                    }
                }
                Referent::Kfunc { weak: false, .. } => needs.rows(|of| of == Of::Kfunc, by),
                _ => {}
            }
        }
    }
    // the loader creates all maps, and the kernel's word on each counts
    for m in maps.iter().zip(&used).filter(|(_, used)| !**used).map(|(m, _)| m) {
        needs.rows(|of| matches!(of, Of::Map(types) if types.contains(&m.spec.map_type)), None);
    }
    let asked = externs.iter().filter(|e| matches!(e.kind, ExternKind::Kconfig { .. }) && !e.weak);
    for e in asked.filter(|e| e.name.starts_with("CONFIG_")) {
        // of which no program that is wanted reads the value: the map holds it all the same
        needs.0.entry((vec![e.name.to_owned()], READ)).or_insert_with(|| Need {
            options: vec![e.name.to_owned()],
            why: READ.to_owned(),
            since: "",
            source: "",
            programs: Vec::new(),
            presence: Presence::Needed,
            conditional: false,
        });
    }
    Ok(needs.0.into_values().collect())
}

/// What is said of a need that calls of helpers behind conditions have.
pub const CONDITIONAL: &str = ", behind a condition";

/// Why a program needs an option that it reads itself.
const READ: &str = "its value, which the program reads";

/// Needs by options and reason.
#[derive(Default)]
struct Needs(BTreeMap<(Vec<String>, &'static str), Need>);

impl Needs {
    /// Adds the rows that `fits` takes.
    fn rows(&mut self, fits: impl Fn(Of) -> bool, by: Option<(&str, Presence)>) {
        self.conditional_rows(fits, by, false);
    }

    fn conditional_rows(
        &mut self,
        fits: impl Fn(Of) -> bool,
        by: Option<(&str, Presence)>,
        conditional: bool,
    ) {
        for Row { options, why, since, source, .. } in ROWS.iter().filter(|row| fits(row.of)) {
            let options = options.iter().map(|o| format!("CONFIG_{o}")).collect();
            self.add(options, why, (since, source), by, conditional);
        }
    }

    fn named(&mut self, option: &str, by: Option<(&str, Presence)>) {
        self.add(vec![option.to_owned()], READ, ("", ""), by, false);
    }

    fn add(
        &mut self,
        options: Vec<String>,
        why: &'static str,
        (since, source): (&'static str, &'static str),
        by: Option<(&str, Presence)>,
        conditional: bool,
    ) {
        let need = self.0.entry((options.clone(), why)).or_insert_with(|| Need {
            options,
            why: why.to_owned(),
            since,
            source,
            programs: Vec::new(),
            presence: Presence::Optional,
            conditional,
        });
        need.conditional &= conditional;
        match by {
            Some((program, presence)) => {
                if !need.programs.iter().any(|p| p == program) {
                    need.programs.push(program.to_owned());
                }
                if presence == Presence::Needed {
                    need.presence = Presence::Needed;
                }
            }
            None => need.presence = Presence::Needed,
        }
    }
}
