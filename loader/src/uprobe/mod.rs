//! Programs on places in user space: uprobe, uretprobe, uprobe.multi and USDT.
//!
//! The place is found on the device, in the file that is there ([`corelet_core::executable`]); a program is attached to it by a perf
//! event, or to many at once by a link (6.6). Nothing here runs for packs without such programs, so all of it is `#[cold]`
//! (link.ld).

mod event;
mod file;
mod usdt;
mod words;

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
use words::Form;

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
            return job.absent(kernel, session, Form::NoFile, &[S(name), S(job.program.name)]);
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
#[cold]
#[inline(never)]
fn to_functions<K: Kernel>(
    kernel: &mut K,
    session: &mut Session<'_>,
    job: &Job<'_, '_>,
    (path, fd): (&Path, Fd),
    (symbol, behind, ret): (&str, u64, bool),
) -> Done<bool> {
    let attach_type = job.program.expected_attach_type;
    let multi = matches!(attach_type, MULTI | SESSION);
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
    let found = file::with(kernel, fd, |executable| {
        if symbol.is_empty() {
            take(Symbol { offset: 0, thumb: false })?;
        } else if multi {
            return Ok(Lookup::Absent(executable.matching(symbol, &mut take)?));
        } else {
            match executable.find(symbol)? {
                Lookup::Found(symbol) => take(symbol)?,
                other => return Ok(other),
            }
        }
        Ok(Lookup::Absent(Tables::default()))
    });
    let found = match found {
        Ok(found) => found,
        Err(trouble) => return Err(job.no_file(kernel, path.as_str(), trouble)),
    };
    if thumb {
        return job.absent(kernel, session, Form::Thumb, &[S(symbol), S(path.as_str())]);
    }
    if places.is_empty() {
        return job.no_symbol(kernel, session, (path, symbol), found);
    }
    let pid = session.options.pid;
    if multi {
        let path = path.as_cstr().unwrap_or_default();
        match kernel.link_uprobe_multi(job.prog, &MultiSpec { path, offsets: &places, ret, pid, attach_type })
        {
            Ok(link) => return session.ledger.keep(kernel, link).map(|_| true),
            // before 6.6, and kernels of 32 bits; a session is more than its places one by one
            Err(Errno::EINVAL | Errno::EOPNOTSUPP) if attach_type == MULTI => {}
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
    #[cold]
    #[inline(never)]
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

    /// Ends with the reason why the program cannot be attached.
    #[cold]
    #[inline(never)]
    fn refuse<K: Kernel>(&self, kernel: &mut K, exit: Exit, form: Form, args: &[Arg<'_>]) -> Exit {
        let (object, name, section) = (S(self.s.object.name), S(self.program.name), S(self.program.section));
        fail(kernel, exit, Form::CannotAttach.text(), &[object, name, section, P(form.text(), args)])
    }

    /// The same, but where it is optional, says the reason and goes on without it.
    #[cold]
    #[inline(never)]
    fn absent<K: Kernel>(
        &self,
        kernel: &mut K,
        session: &mut Session<'_>,
        form: Form,
        args: &[Arg<'_>],
    ) -> Done<bool> {
        if !optional(self.s, self.number) {
            return Err(self.refuse(kernel, Exit::NotPortable, form, args));
        }
        session.counts.skipped = session.counts.skipped.saturating_add(1);
        let (object, name, section) = (S(self.s.object.name), S(self.program.name), S(self.program.section));
        say(kernel, Form::Skipped.text(), &[object, name, section, P(form.text(), args)]);
        Ok(false)
    }

    /// Says which symbols were looked at in vain.
    #[cold]
    #[inline(never)]
    fn no_symbol<K: Kernel>(
        &self,
        kernel: &mut K,
        session: &mut Session<'_>,
        (path, symbol): (&Path, &str),
        found: Lookup,
    ) -> Done<bool> {
        let (path, symbol) = (S(path.as_str()), S(symbol));
        let (tables, form) = match found {
            Lookup::Indirect => return self.absent(kernel, session, Form::Indirect, &[symbol, path]),
            Lookup::Ambiguous => return self.absent(kernel, session, Form::Ambiguous, &[path, symbol]),
            Lookup::Absent(tables) if tables.symtab => (tables, Form::Nothing),
            Lookup::Absent(tables) if tables.dynsym => (tables, Form::OnlyDynsym),
            _ => (Tables::default(), Form::NoSymbols),
        };
        let args = [symbol, path, N(tables.functions.into()), S(form.text())];
        self.absent(kernel, session, Form::NoSymbol, &args)
    }

    /// Says why a file cannot be read.
    #[cold]
    #[inline(never)]
    fn no_file<K: Kernel>(&self, kernel: &mut K, path: &str, trouble: Trouble) -> Exit {
        let (exit, form, why) = match trouble {
            Trouble::Call(e) if e.exit() == Exit::Again => return failed(kernel, path, e),
            Trouble::Call(e) => (e.exit(), Form::BadFile, E(e)),
            Trouble::Bytes(Error::TooMany { limit, .. }) => {
                (Exit::NotPortable, Form::TooMany, N(limit.into()))
            }
            Trouble::Bytes(error) => (Exit::NotPortable, Form::BadFile, B(error)),
        };
        self.refuse(kernel, exit, form, &[S(path), why])
    }
}
