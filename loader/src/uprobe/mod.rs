//! Programs on places in user space: uprobe, uretprobe, uprobe.multi and USDT.
//!
//! The place is found on the device, in the file that is there ([`corelet_core::executable`]); a program is attached to it by a perf
//! event, or to many at once by a link (6.6). Nothing here runs for packs without such programs, so all of it is `#[cold]`
//! (link.ld).

mod event;
mod file;
mod usdt;

pub use event::remove;

use crate::attach::to_event;
use crate::exit::{Done, Exit};
use crate::job::OpenMap;
use crate::object::Sections;
use crate::plan::{optional, refuse};
use crate::say::{
    Arg::{self, B, E, N, P, S},
    fail, failed, say,
};
use crate::session::Session;
use crate::sys::{Errno, Fd, Kernel, MultiSpec};
use crate::tracefs::Path;
use corelet_core::executable::{Lookup, Symbol, Tables};
use corelet_core::pack::{Attach, Program};
use corelet_core::{Error, Limit};
use event::Spot;
use file::Trouble;
use heapless::Vec;

/// Places that one program is attached to: 4 KiB of the stack. `pthread_*` of glibc has some 150.
const MAX_PLACES: usize = 512;
/// `BPF_TRACE_UPROBE_MULTI` and `BPF_TRACE_UPROBE_SESSION`.
const MULTI: u32 = 48;
const SESSION: u32 = 57;

/// A loaded program and what it is attached with.
pub struct Job<'x, 'a> {
    /// Its object.
    pub s: &'x Sections<'a>,
    /// The object's maps.
    pub open: &'x [OpenMap],
    /// Its number.
    pub number: u16,
    /// Its record.
    pub program: &'x Program<'a>,
    /// Its descriptor.
    pub prog: Fd,
}

/// Attaches to the place or places in user space. Whether it is attached: an optional program whose file or function is not
/// there is reported and left.
///
/// # Errors
/// Said: which file, and what of it is not there.
#[cold]
#[inline(never)]
pub fn attach<K: Kernel>(kernel: &mut K, session: &mut Session<'_>, job: &Job<'_, '_>) -> Done<bool> {
    let (Attach::Uprobe { path: name, .. } | Attach::Usdt { path: name, .. }) = job.program.attach else {
        return Err(refuse(kernel, job.s, job.program, Errno::EOPNOTSUPP));
    };
    let mut path = Path::new();
    let fd = match file::open(kernel, name, &mut path) {
        Ok(fd) => fd,
        Err(Errno::ENOENT) => {
            return job.absent(
                kernel,
                session,
                "% is not there: --attach %=PATH:… names another file",
                &[S(name), S(job.program.name)],
            );
        }
        Err(e) => return Err(job.no_file(kernel, name, Trouble::Call(e))),
    };
    let done = match job.program.attach {
        Attach::Usdt { provider, name, .. } => {
            usdt::attach(kernel, session, job, (&path, fd), (provider, name))
        }
        Attach::Uprobe { symbol, offset, ret, .. } => {
            to_functions(kernel, session, job, (&path, fd), (symbol, offset, ret))
        }
        _ => Ok(false),
    };
    kernel.close(fd);
    done
}

/// Finds the functions and attaches to all of them.
fn to_functions<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    job: &Job<'_, '_>,
    (path, fd): (&Path, Fd),
    (symbol, behind, ret): (&str, u64, bool),
) -> Done<bool> {
    let multi = matches!(job.program.expected_attach_type, MULTI | SESSION);
    let mut places: Vec<u64, MAX_PLACES> = Vec::new();
    let mut thumb = false;
    let mut take = |found: Symbol| {
        thumb |= found.thumb;
        let offset = found.offset.saturating_add(behind);
        // names of one function: a program that is attached twice would run twice
        if !places.contains(&offset) && places.push(offset).is_err() {
            return Err(Error::TooMany { what: Limit::Symbols, limit: MAX_PLACES as u32 });
        }
        Ok(())
    };
    let found = if symbol.is_empty() {
        take(Symbol { offset: 0, thumb: false }).map(|()| None).map_err(Trouble::Bytes)
    } else if multi {
        file::with(kernel, fd, |executable| executable.matching(symbol, &mut take))
            .map(|tables| Some(Lookup::Absent(tables)))
    } else {
        file::with(kernel, fd, |executable| match executable.find(symbol)? {
            Lookup::Found(symbol) => take(symbol).map(|()| None),
            other => Ok(Some(other)),
        })
    };
    let found = match found {
        Ok(found) => found,
        Err(trouble) => return Err(job.no_file(kernel, path.as_str(), trouble)),
    };
    if thumb {
        let form = "% of % is of Thumb instructions, which Linux cannot probe";
        return job.absent(kernel, session, form, &[S(symbol), S(path.as_str())]);
    }
    if places.is_empty() {
        return job.no_symbol(kernel, session, (path, symbol), found);
    }
    let pid = session.options.pid;
    if multi {
        let attach_type = job.program.expected_attach_type;
        let spec =
            MultiSpec { path: path.as_cstr().unwrap_or_default(), offsets: &places, ret, pid, attach_type };
        match kernel.link_uprobe_multi(job.prog, &spec) {
            Ok(link) => return session.ledger.keep(kernel, link).map(|_| true),
            // before 6.6; a session is more than its places one by one
            Err(Errno::EINVAL) if attach_type == MULTI => {}
            Err(e) => return Err(refuse(kernel, job.s, job.program, e)),
        }
    }
    for &offset in &places {
        job.to_place(kernel, session, &Spot { path, offset, ret, semaphore: 0, pid }, 0)?;
    }
    Ok(true)
}

impl Job<'_, '_> {
    /// Attaches to one place, with the cookie that the program gets there.
    fn to_place<K: Kernel>(
        &self,
        kernel: &mut K,
        session: &mut Session<'_>,
        spot: &Spot<'_>,
        cookie: u64,
    ) -> Done<()> {
        let event = event::open(kernel, &mut session.ledger, spot);
        match event.and_then(|event| to_event(kernel, self.prog, event, cookie)) {
            Ok(fds) => {
                for &fd in fds.iter().flatten() {
                    session.ledger.keep(kernel, fd)?;
                }
                Ok(())
            }
            Err(e) => Err(refuse(kernel, self.s, self.program, e)),
        }
    }

    /// Ends with the reason why the program cannot be attached, or where it is optional, says it and goes on.
    #[cold]
    #[inline(never)]
    fn absent<K: Kernel>(
        &self,
        kernel: &mut K,
        session: &mut Session<'_>,
        form: &str,
        args: &[Arg<'_>],
    ) -> Done<bool> {
        let (object, name, section) = (S(self.s.object.name), S(self.program.name), S(self.program.section));
        let args = [object, name, section, P(form, args)];
        if optional(self.s, self.number) {
            session.counts.skipped = session.counts.skipped.saturating_add(1);
            say(kernel, "%: skipped % (%): %", &args);
            return Ok(false);
        }
        Err(fail(kernel, Exit::NotPortable, "%: cannot attach % (%): %", &args))
    }

    /// Says which symbols were looked at in vain.
    fn no_symbol<K: Kernel>(
        &self,
        kernel: &mut K,
        session: &mut Session<'_>,
        (path, symbol): (&Path, &str),
        found: Option<Lookup>,
    ) -> Done<bool> {
        let (path, symbol) = (S(path.as_str()), S(symbol));
        let tables = match found {
            Some(Lookup::Indirect) => {
                let form = "% of % is chosen when a program starts (IFUNC): name one of its functions";
                return self.absent(kernel, session, form, &[symbol, path]);
            }
            Some(Lookup::Ambiguous) => {
                let form = "% has two functions %: name an offset in the file instead";
                return self.absent(kernel, session, form, &[path, symbol]);
            }
            Some(Lookup::Absent(tables)) => tables,
            _ => Tables::default(),
        };
        let which = match (tables.dynsym, tables.symtab) {
            (_, true) => "",
            (true, false) => "; it is stripped: these are those of .dynsym",
            (false, false) => "; it is stripped of all symbols: name an offset in the file instead",
        };
        let args = [symbol, path, N(tables.functions.into()), S(which)];
        self.absent(kernel, session, "% is none of the functions of %: % looked at%", &args)
    }

    /// Says why a file cannot be read.
    #[cold]
    fn no_file<K: Kernel>(&self, kernel: &mut K, path: &str, trouble: Trouble) -> Exit {
        let (exit, why) = match trouble {
            Trouble::Call(e) if e.exit() == Exit::Again => return failed(kernel, path, e),
            Trouble::Call(e) => (e.exit(), E(e)),
            Trouble::Bytes(Error::TooMany { limit, .. }) => {
                let form = "%: cannot attach %: % has more than % places or symbols for it";
                let args = [S(self.s.object.name), S(self.program.name), S(path), N(limit.into())];
                return fail(kernel, Exit::NotPortable, form, &args);
            }
            Trouble::Bytes(error) => (Exit::NotPortable, B(error)),
        };
        let args = [S(self.s.object.name), S(self.program.name), S(path), why];
        fail(kernel, exit, "%: cannot attach %: %: %", &args)
    }
}
