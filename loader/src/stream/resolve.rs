//! Printing results with the names of their addresses: first all are collected, then named at once, then entries are printed.

use super::print::{self, Found};
use super::results::{Place, Reader};
use super::stacks::{Asked, Stacks};
use crate::job::{Job, Output as Form};
use crate::say::{
    Arg::{E, N},
    say, text,
};
use crate::sys::Kernel;
use corelet_core::event::Symbols;

impl<K: Kernel> Reader<'_, '_, K> {
    /// Collects and names the addresses of all results. Raw records of them come before the results.
    pub(super) fn name_addresses(&mut self, job: &Job<'_>) {
        let Some(stacks) = &mut self.memory.stacks else { return };
        stacks.clear();
        let again = core::mem::replace(&mut self.again, false);
        self.collecting = true;
        self.each(job);
        self.collecting = false;
        self.again = again;
        let Some(mut stacks) = self.memory.stacks.take() else { return };
        if let Err(e) = stacks.name_kernel(self.kernel) {
            say(self.kernel, text!("cannot read /proc/kallsyms: %; addresses stay numbers"), &[E(e)]);
        }
        if stacks.left_out > 0 {
            let form = text!("% addresses stay numbers: there is no memory for more names");
            say(self.kernel, form, &[N(stacks.left_out)]);
        }
        if job.output == Form::Raw {
            for address in (0..).map_while(|i| stacks.address(i)) {
                if let Some((name, offset)) = stacks.symbol(address) {
                    self.put(&|o, _| print::symbol(o, address, offset, name));
                }
            }
        }
        self.memory.stacks = Some(stacks);
    }

    /// Prints one entry with names, or collects what it has of addresses.
    pub(super) fn print_named(&mut self, at: &Place<'_>, found: &Found<'_>, stacks: &mut Stacks) {
        let (form, whose) = (at.job.output, (at.object, at.source));
        let asked = Asked::default();
        print::ask(stacks.nowhere, whose, found, &asked);
        if !self.collecting {
            stacks.fetch(self.kernel, at.source, &asked);
            if form != Form::Raw {
                stacks.name_user(self.kernel, &asked);
            }
            let fetched = stacks.of(&asked);
            let symbols: &dyn Symbols = &fetched;
            return self.put(&|o, clip| print::result(o, form, whose, found, Some(symbols), clip));
        }
        stacks.collect(self.kernel, at.source, &asked);
        if form == Form::Raw {
            for stack in asked.stacks.get().iter().flatten() {
                let frames = stacks.frames(stack.pid.is_some());
                self.put(&|o, _| print::stack(o, at.object, stack.map, stack.id, frames));
            }
        }
    }
}
