//! The records of a pack's sections. Field order is the wire order; a change needs a new section id ([`super`]).
//!
//! Numbers of functions, maps and programs are the places of their records within their sections, from 0.

mod attach;
mod map;
mod object;
mod output;
mod relo;
mod target;

pub use attach::{Attach, Place};
pub use map::{DeviceValue, Holds, InnerMap, Map, MapRole, MapValue, Sizing};
pub use object::{Function, Object, Program};
pub use output::{Alias, Event, Format, Hint, How, ResultMap, View};
pub use relo::{Fixup, FixupKind, FuncInfo, LineInfo, Relo};
pub use target::{
    Arch, AttachId, Choice, Decision, KernelId, MapChoice, MapFate, Module, Patch, SkipReason, StructOps,
    StructOpsMember, Target,
};
