//! Packs that outlive the loader, and what is known of those that run: folders in a bpffs.
//!
//! `/sys/fs/bpf/corelet/NAME/` is of one `load`, or of one `run --name`:
//!
//! ```text
//! links/ progs/ maps/   of a load: pins, OBJECT-NAME each, which keep the pack attached (a bpffs knows no `.`: `_` there)
//! state                 an array that says what is there (`state`); made last, removed first
//! ```
//!
//! `NAME+new` is a load that takes the place of NAME. Whoever makes, judges or removes a folder holds the lock (`flock(2)`) of
//! `/sys/fs/bpf` meanwhile; a loader holds that of its own folder for as long as it loads or runs. The kernel gives a lock
//! back when its process is gone, however that ended. So what nobody has locked is either a complete load, or left by a
//! loader that was killed (`stale`): no process number says so, which another process may have by now.

use crate::tracefs::Path;

mod begin;
mod environ;
mod pins;
mod pulse;
mod stale;
mod state;
mod status;
mod unload;

pub use begin::{Service, abandon, begin, commit};
pub use pins::{maps, program};
pub use pulse::Pulse;
pub use stale::{clean, is_gone};
pub use state::Kind;
pub use status::status;
pub use unload::unload;

/// Whether the loader has any of this; without it, `args` refuses what asks for it.
pub const BUILT: bool = cfg!(feature = "service");

/// What a service's folder ends in while it takes the place of another.
const NEW: &str = "+new";
/// Longest name of a service: with those of object and program a path of [`Path`] holds it.
pub const MAX_NAME: usize = 32;

/// The folder of all services.
const ROOT: &str = "/sys/fs/bpf/corelet";

/// The path of what is in [`ROOT`].
fn at(parts: &[&str]) -> Path {
    let mut path = Path::new();
    path.text(ROOT);
    for part in parts {
        path.text(part);
    }
    path
}

/// Whether this can be the name of a service.
fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(good)
}
