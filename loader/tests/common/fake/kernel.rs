//! What the kernel that remembers answers to each call.

use super::*;

impl Kernel for Fake {
    fn inside(&self) -> bool {
        self.inside
    }

    fn embedded(&self) -> bool {
        self.embedded
    }

    fn take_token(&mut self, bpffs: Fd) -> Sys<Fd> {
        self.call()?;
        assert!(matches!(self.open.get(&bpffs.0), Some(Thing::File { .. })), "{bpffs:?}");
        self.token.ok_or(Errno::EINVAL)??;
        self.has_token = true;
        self.give(Thing::Token)
    }

    fn has_token(&self) -> bool {
        self.has_token
    }

    fn keep_capabilities(&mut self, keep: u64) -> Sys<()> {
        self.call()?;
        self.kept = Some(keep);
        Ok(())
    }

    fn confine(&mut self, groups: u32) -> Sys<()> {
        self.call()?;
        if self.no_seccomp {
            return Err(Errno::EINVAL);
        }
        self.confined = Some(groups);
        Ok(())
    }

    fn loaded(&mut self, program: Held) -> bool {
        self.held.push(program);
        true
    }

    fn open(&mut self, path: &CStr, _: Open) -> Sys<Fd> {
        self.of(calls::FILES);
        self.call()?;
        let path = path.to_str().unwrap().to_string();
        if let Some(info) = path.strip_prefix("/proc/self/fdinfo/").and_then(|fd| self.info(fd.parse().ok()?))
        {
            self.files.insert(path.clone(), info.into());
        }
        if !self.files.contains_key(&path) && self.bpffs.get(&path) != Some(&Node::Folder) {
            return Err(Errno::ENOENT);
        }
        self.give(Thing::File { path, at: 0 })
    }

    fn read(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize> {
        if matches!(self.open.get(&fd.0), Some(Thing::Netlink { .. })) {
            let answer = self.net.answer().ok_or(Errno::EAGAIN)?;
            let n = answer.len().min(buf.len());
            buf[..n].copy_from_slice(&answer[..n]);
            return Ok(n);
        }
        self.call()?;
        let Some(Thing::File { path, at }) = self.open.get_mut(&fd.0) else { return Err(Errno::EBADF) };
        let rest = &self.files[path][*at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        *at += n;
        Ok(n)
    }

    fn read_at(&mut self, fd: Fd, offset: u32, buf: &mut [u8]) -> Sys<usize> {
        self.of(calls::FILES);
        self.call()?;
        let file = &self.files[&self.file_of(fd)?];
        let rest = file.get(offset as usize..).unwrap_or(&[]);
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn read_dir(&mut self, fd: Fd, buf: &mut [u8]) -> Sys<usize> {
        self.of(calls::SERVICE | calls::FOLLOW);
        self.call()?;
        let Some(Thing::File { path, .. }) = self.open.get(&fd.0) else { return Err(Errno::EBADF) };
        let inside = format!("{path}/");
        let paths = self.files.keys().chain(self.bpffs.keys());
        let mut names: Vec<&str> = paths.filter_map(|f| f.strip_prefix(&inside)).collect();
        names.retain(|name| !name.contains('/'));
        names.extend([".", ".."]);
        names.sort_unstable();
        // what was removed meanwhile is not counted, as in the kernel
        let from = names.iter().position(|name| Some(*name) > self.last.get(&fd.0).map(String::as_str));
        let mut end = 0;
        let mut last = None;
        for name in &names[from.unwrap_or(names.len())..] {
            let len = (19 + name.len() + 1).next_multiple_of(8);
            let Some(entry) = buf.get_mut(end..end + len) else { break };
            entry.fill(0);
            entry[16..18].copy_from_slice(&(len as u16).to_ne_bytes());
            entry[19..19 + name.len()].copy_from_slice(name.as_bytes());
            end += len;
            last = Some((*name).to_string());
        }
        if let Some(last) = last {
            self.last.insert(fd.0, last);
        }
        Ok(end)
    }

    fn write(&mut self, fd: Fd, bytes: &[u8]) -> Sys<usize> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match fd {
            Fd::STDOUT => self.stdout += &text,
            Fd::STDERR => self.stderr += &text,
            _ if self.open.get(&fd.0) == Some(&Thing::Socket) => {
                self.heard.values_mut().for_each(|heard| heard.push(text.clone()));
            }
            // removing is undoing: it is never made to fail
            _ if matches!(self.open.get(&fd.0), Some(Thing::Netlink { .. })) => {
                if !Net::undoes(bytes) {
                    self.call()?;
                }
                self.net.hear(bytes);
            }
            _ if text.starts_with('-') && self.keep_probes => self.tracefs_probes.push(text),
            _ if text.starts_with('-') => {
                self.tracefs_probes.retain(|p| !p.contains(&text[2..]));
                if self.lists_probes {
                    let list: String = self.tracefs_probes.iter().map(|p| format!("{p}\n")).collect();
                    self.files.insert("/sys/kernel/tracing/kprobe_events".into(), list.into());
                }
            }
            _ => {
                self.call()?;
                let name = text.split([':', ' ']).nth(1).unwrap_or_default();
                self.files.insert(format!("{TRACING}/{name}/id"), b"9\n".to_vec());
                self.tracefs_probes.push(text);
            }
        }
        Ok(bytes.len())
    }

    fn netlink(&mut self, groups: u32) -> Sys<Fd> {
        self.of(calls::FOLLOW);
        self.call()?;
        self.give(Thing::Netlink { groups })
    }

    fn connect(&mut self, to: &Address) -> Sys<Fd> {
        self.of(calls::SOCKETS);
        self.call()?;
        // behind the family
        let name = String::from_utf8_lossy(to.bytes().get(2..).unwrap_or_default()).into_owned();
        let name = match name.strip_prefix('\0') {
            Some(name) => format!("@{name}"),
            None => name.trim_end_matches('\0').to_owned(),
        };
        if !self.heard.contains_key(&name) {
            return Err(Errno::ENOENT);
        }
        self.give(Thing::Socket)
    }

    fn close(&mut self, fd: Fd) {
        assert!(self.open.remove(&fd.0).is_some(), "{fd:?} is closed twice");
        self.seen.set((self.calls, self.open.len()));
    }

    fn file_len(&mut self, fd: Fd) -> Sys<u64> {
        self.of(calls::FILES);
        self.call()?;
        Ok(self.files[&self.file_of(fd)?].len() as u64)
    }

    fn mkdir(&mut self, path: &CStr) -> Sys<()> {
        self.of(0);
        self.call()?;
        let path = self.path(path)?;
        if self.bpffs.contains_key(&path) {
            return Err(Errno::EEXIST);
        }
        self.bpffs.insert(path, Node::Folder);
        Ok(())
    }

    fn remove(&mut self, path: &CStr, folder: bool) -> Sys<()> {
        self.of(calls::NAMES);
        let path = self.path(path)?;
        // of a map that is pinned by its name, removing is undoing: it is never made to fail
        if path.contains("/corelet") {
            self.call()?;
        }
        let inside = format!("{path}/");
        match self.bpffs.get(&path) {
            None => Err(Errno::ENOENT),
            Some(Node::Folder) if !folder => Err(Errno::EISDIR),
            Some(Node::Pin(_)) if folder => Err(Errno::EINVAL),
            // ENOTEMPTY
            Some(_) if self.bpffs.keys().any(|p| p.starts_with(&inside)) => Err(Errno(39)),
            Some(_) => {
                self.bpffs.remove(&path);
                Ok(())
            }
        }
    }

    fn rename(&mut self, from: &CStr, to: &CStr) -> Sys<()> {
        self.of(calls::NAMES);
        self.call()?;
        let (from, to) = (self.path(from)?, self.path(to)?);
        if self.bpffs.keys().any(|p| p.starts_with(&format!("{to}/"))) {
            return Err(Errno(39));
        }
        let moved: Vec<String> = self.bpffs.keys().filter(|p| p.starts_with(&from)).cloned().collect();
        for path in moved {
            if let Some(rest) = path.strip_prefix(&from).filter(|r| r.is_empty() || r.starts_with('/')) {
                let node = self.bpffs[&path].clone();
                self.bpffs.insert(format!("{to}{rest}"), node);
                self.bpffs.remove(&path);
            }
        }
        Ok(())
    }

    fn lock(&mut self, fd: Fd) -> Sys<()> {
        self.of(calls::SERVICE);
        self.call()?;
        let Some(Thing::File { path, .. }) = self.open.get(&fd.0) else { return Err(Errno::EBADF) };
        let is_same = |other: &Thing| matches!(other, Thing::File { path: p, at: 1 } if p == path);
        if self.locked.contains(path) || self.open.values().any(is_same) {
            return Err(Errno::EAGAIN);
        }
        // of a folder `at` says nothing else
        let path = path.clone();
        self.open.insert(fd.0, Thing::File { path, at: 1 });
        Ok(())
    }

    fn uname(&mut self) -> Uname {
        self.of(0);
        Uname {
            release: self.release.unwrap_or(RELEASE).try_into().unwrap(),
            version: VERSION_TEXT.try_into().unwrap(),
            machine: std::env::consts::ARCH.try_into().unwrap(),
        }
    }

    fn pid(&mut self) -> u32 {
        7
    }

    fn region(&mut self, len: usize) -> Sys<Region> {
        self.call()?;
        if len > MEMORY {
            return Err(Errno::ENOMEM);
        }
        self.regions.push(len);
        self.mappings += 1;
        let words = vec![0u64; len.div_ceil(8)].leak();
        // a u64 slice gives the alignment that a mapping has
        Ok(&mut corelet_loader::sys::bytes(words)[..len])
    }

    fn map_shared(&mut self, _: Fd, _: u32, len: usize, _: bool) -> Sys<Shared> {
        self.call()?;
        self.mappings += 1;
        Ok(Shared::over(vec![0u64; len / 8].leak()))
    }

    fn raise_memlock(&mut self) -> Sys<()> {
        self.of(0);
        self.call()?;
        self.small_memlock = false;
        Ok(())
    }

    fn btf_load(&mut self, _: &[u8]) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        self.give(Thing::Btf)
    }

    fn map_create(&mut self, spec: &MapSpec, cpus: u32) -> Sys<MapFd> {
        self.of(0);
        self.call()?;
        if self.no_bpf {
            return Err(Errno::ENOSYS);
        }
        if let Some(inner) = spec.inner {
            assert!(matches!(self.open[&inner.0], Thing::Map(_)), "{inner:?}");
        }
        self.maps.push(*spec);
        Ok(MapFd::new(self.give(Thing::Map(*spec))?, spec, cpus))
    }

    fn map_update(&mut self, map: &MapFd, key: &[u8], value: &[u8]) -> Sys<()> {
        self.call()?;
        if (key.len(), value.len()) != (map.key_len(), map.value_len()) {
            return Err(Errno::EINVAL);
        }
        let Some(Thing::Map(spec)) = self.open.get(&map.fd().0) else { return Err(Errno::EBADF) };
        let name = String::from_utf8_lossy(&spec.name).trim_end_matches('\0').to_string();
        self.updates.push((name, key.to_vec(), value.to_vec()));
        self.contents.push((map.fd().0, value.to_vec()));
        if spec.map_type == 26 && spec.map_flags & 1 << 13 == 0 {
            self.registered.push(map.fd().0);
        }
        self.keys.push(key.to_vec());
        if let Ok(key) = key.try_into() {
            let made = self.same.get(&map.fd().0).copied().unwrap_or(map.fd().0);
            self.values.insert((made, u32::from_ne_bytes(key)), value.to_vec());
        }
        Ok(())
    }

    fn map_lookup(&mut self, map: &MapFd, key: &[u8], value: &mut [u8]) -> Sys<()> {
        self.call()?;
        // of a pinned array; the stream's maps are empty here
        let Some(made) = self.same.get(&map.fd().0) else { return Err(Errno::ENOENT) };
        let key = u32::from_ne_bytes(key.try_into().map_err(|_| Errno::EINVAL)?);
        match &self.things[made] {
            Thing::Map(spec) if key < spec.max_entries => match self.values.get(&(*made, key)) {
                Some(found) => value.copy_from_slice(found),
                None => value.fill(0),
            },
            _ => return Err(Errno::ENOENT),
        }
        Ok(())
    }

    fn map_next_key(&mut self, _: &MapFd, _: Option<&[u8]>, _: &mut [u8]) -> Sys<()> {
        self.call()?;
        Err(Errno::ENOENT)
    }

    fn map_delete(&mut self, map: &MapFd, _: &[u8]) -> Sys<()> {
        let registered = self.registered.iter().position(|&ops| ops == map.fd().0);
        if let Some(at) = registered {
            self.registered.remove(at);
        }
        self.call()?;
        Err(Errno::ENOENT)
    }

    fn map_freeze(&mut self, map: Fd) -> Sys<()> {
        self.of(0);
        self.call()?;
        self.frozen.push(map.0);
        Ok(())
    }

    fn prog_load(&mut self, spec: &ProgSpec<'_>, log: Option<&mut [u8]>) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        let name = String::from_utf8_lossy(&spec.name).trim_end_matches('\0').to_string();
        if self.small_memlock {
            return Err(Errno::EPERM);
        }
        if spec.prog_type == 31 && self.no_syscall_programs {
            return Err(Errno::EINVAL);
        }
        if let Some((_, e, text)) = self.refuse.as_ref().filter(|(n, ..)| *n == name) {
            if let Some(log) = log {
                log[..text.len()].copy_from_slice(text.as_bytes());
            }
            return Err(*e);
        }
        self.fd_arrays.push(spec.fd_array.to_vec());
        self.progs.push(Loaded {
            name: name.clone(),
            insns: spec.insns.to_vec(),
            license: spec.license.to_str().unwrap().into(),
            func_info: spec.btf.map_or(Vec::new(), |b| b.func_info.to_vec()),
            prog_type: spec.prog_type,
            attach_btf_id: spec.attach_to.id,
            expected_attach_type: spec.expected_attach_type,
            attach_of: spec.attach_to.of.map(|fd| self.open[&fd.0].clone()),
        });
        self.give(Thing::Prog(name))
    }

    fn raw_tracepoint_open(&mut self, name: Option<&CStr>, prog: Fd) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        let Thing::Prog(of) = &self.open[&prog.0] else { return Err(Errno::EINVAL) };
        if name.is_none() && self.no_trampolines {
            return Err(Errno::ENOTSUPP);
        }
        self.attached
            .push(name.map_or_else(|| format!("{of} by type"), |name| name.to_str().unwrap().into()));
        self.give(Thing::Link)
    }

    fn link_kprobe_multi(
        &mut self,
        _: Fd,
        attach_type: u32,
        ret: bool,
        names: &[u8],
        places: &mut [u64],
    ) -> Sys<Fd> {
        self.call()?;
        let names = String::from_utf8_lossy(names.strip_suffix(&[0]).unwrap()).replace('\0', ",");
        assert_eq!(names.split(',').count(), places.len());
        self.attached.push(format!("{names} by {attach_type} {ret}"));
        self.give(Thing::Link)
    }

    fn link_iter(&mut self, _: Fd) -> Sys<Fd> {
        self.call()?;
        self.give(Thing::Link)
    }

    fn link_tracing_multi(&mut self, _: Fd, _: u32, function: u32) -> Sys<Fd> {
        self.call()?;
        assert_ne!(function, 0);
        self.give(Thing::Link)
    }

    fn iter_create(&mut self, link: Fd) -> Sys<Fd> {
        self.call()?;
        assert_eq!(self.open[&link.0], Thing::Link);
        self.give(Thing::File { path: ITERATOR.into(), at: 0 })
    }

    /// Answers what the program would find: it has the name on its stack.
    fn prog_run(&mut self, prog: Fd, context: &mut u64) -> Sys<()> {
        self.call()?;
        let Thing::Prog(of) = &self.open[&prog.0] else { return Err(Errno::EINVAL) };
        assert_eq!(of, "corelet_find");
        let asking = self.progs.last().unwrap().insns.as_chunks::<8>().0;
        let name: Vec<u8> = asking.iter().filter(|i| i[0] == 0x62).flat_map(|i| i[4..].to_vec()).collect();
        let name = String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned();
        *context = match self.types.iter().find(|(known, _)| **known == name) {
            Some((_, Known::Own(id))) => u64::from(*id),
            Some((_, Known::OfModule(id))) => {
                let id = u64::from(*id);
                (self.give(Thing::Btf)?.0 as u64) << 32 | id
            }
            None => -2i64 as u64,
        };
        Ok(())
    }

    fn link_perf(&mut self, prog: Fd, event: Fd, cookie: u64) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        if self.no_links {
            return Err(Errno::EINVAL);
        }
        self.attached.push(format!("{:?} to {:?} by link", self.open[&prog.0], self.open[&event.0]));
        self.cookies.push(cookie);
        self.give(Thing::Link)
    }

    fn link_place(&mut self, prog: Fd, target: Fd, attach_type: u32) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        if let Some(e) = self.place_refuses {
            return Err(e);
        }
        if self.no_place_links {
            return Err(Errno::EINVAL);
        }
        let to = self.open.get(&target.0);
        self.attached.push(to.map_or_else(
            || format!("{:?} by {attach_type}", self.open[&prog.0]),
            |to| format!("{:?} to {to:?} by {attach_type}", self.open[&prog.0]),
        ));
        self.give(Thing::Link)
    }

    fn prog_attach(&mut self, prog: Fd, target: Fd, attach_type: u32, multi: bool) -> Sys<()> {
        self.of(0);
        self.call()?;
        if let Some(e) = self.place_refuses {
            return Err(e);
        }
        let (of, to) = (&self.open[&prog.0], &self.open[&target.0]);
        self.attached.push(format!("{of:?} to {to:?} by {attach_type} held, multi {multi}"));
        self.by_place.push((prog.0, target.0, attach_type));
        Ok(())
    }

    fn prog_detach(&mut self, prog: Fd, target: Fd, attach_type: u32) -> Sys<()> {
        self.of(calls::HELD);
        // asked once: one that fails is not asked again
        let at = self.by_place.iter().position(|held| *held == (prog.0, target.0, attach_type)).unwrap();
        self.by_place.remove(at);
        self.call()
    }

    fn packet_socket(&mut self, interface: u32) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        self.attached.push(format!("packet socket on {interface}"));
        self.give(Thing::Socket)
    }

    fn fd_of_process(&mut self, pid: u32, number: u32) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        self.attached.push(format!("{number} of {pid}"));
        self.give(Thing::Socket)
    }

    fn socket_option(&mut self, socket: Fd, option: u32, value: Fd) -> Sys<()> {
        self.of(calls::HELD);
        self.call()?;
        assert_eq!(self.open[&socket.0], Thing::Socket);
        self.options.push((option, self.open.get(&value.0).cloned()));
        Ok(())
    }

    fn link_create(&mut self, prog: Fd, spec: &LinkSpec) -> Sys<Fd> {
        self.of(calls::FOLLOW);
        self.call()?;
        if self.net.no_links {
            return Err(Errno::EINVAL);
        }
        self.attached.push(format!("{:?} to {spec:?}", self.open[&prog.0]));
        self.give(Thing::Link)
    }

    fn link_uprobe_multi(&mut self, prog: Fd, spec: &MultiSpec<'_>) -> Sys<Fd> {
        self.call()?;
        if self.no_links || self.no_multi {
            return Err(Errno::EINVAL);
        }
        self.attached.push(format!("{:?} to {spec:?}", self.open[&prog.0]));
        self.give(Thing::Link)
    }

    fn obj_get(&mut self, path: &CStr) -> Sys<Fd> {
        self.of(calls::SERVICE | calls::FOLLOW);
        self.call()?;
        let Some(Node::Pin(made)) = self.bpffs.get(path.to_str().unwrap()) else { return Err(Errno::ENOENT) };
        let made = *made;
        let thing = self.things[&made].clone();
        let fd = self.give(thing)?;
        self.net.same.insert(fd.0, made);
        Ok(fd)
    }

    fn map_info(&mut self, map: Fd) -> Sys<MapSpec> {
        self.of(0);
        self.call()?;
        let Some(Thing::Map(spec)) = self.open.get(&map.0) else { return Err(Errno::EINVAL) };
        Ok(*spec)
    }

    fn obj_pin(&mut self, fd: Fd, path: &CStr) -> Sys<()> {
        self.of(calls::FOLLOW);
        self.call()?;
        let path = self.path(path)?;
        assert!(!path.contains('.'), "{path}: a bpffs has no dots");
        match self.open.get(&fd.0) {
            Some(Thing::Map(_) | Thing::Prog(_) | Thing::Link) => {}
            _ => return Err(Errno::EINVAL),
        }
        if self.bpffs.contains_key(&path) {
            return Err(Errno::EEXIST);
        }
        self.bpffs.insert(path, Node::Pin(fd.0));
        Ok(())
    }

    fn obj_get_map(&mut self, path: &CStr, cpus: u32) -> Sys<MapFd> {
        self.of(calls::SERVICE);
        self.call()?;
        let Some(Node::Pin(made)) = self.bpffs.get(path.to_str().unwrap()) else { return Err(Errno::ENOENT) };
        let made = *made;
        let Thing::Map(spec) = self.things[&made].clone() else { return Err(Errno::EINVAL) };
        let fd = self.give(Thing::Map(spec))?;
        self.same.insert(fd.0, made);
        Ok(MapFd::new(fd, &spec, cpus))
    }

    fn obj_by_id(&mut self, kind: Kind, id: u32) -> Sys<(Fd, [u8; 16])> {
        self.of(calls::FOLLOW);
        self.call()?;
        let made = id as i32;
        let thing = self.things.get(&made).cloned().ok_or(Errno::ENOENT)?;
        let name = match (&thing, kind) {
            (Thing::Map(spec), Kind::Map) => spec.name,
            (Thing::Prog(name), Kind::Prog) => {
                let mut padded = [0; 16];
                padded[..name.len()].copy_from_slice(name.as_bytes());
                padded
            }
            _ => return Err(Errno::ENOENT),
        };
        let fd = self.give(thing)?;
        self.same.insert(fd.0, made);
        Ok((fd, name))
    }

    fn perf_event_open(&mut self, spec: &PerfSpec<'_>, _: u32) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        if self.no_perf {
            return Err(Errno::ENOSYS);
        }
        let symbol = spec.symbol.map(|s| s.to_str().unwrap().to_string());
        if self.no_symbols && symbol.is_some() {
            return Err(Errno::ENOENT);
        }
        if self.no_starts && symbol.is_some() && spec.offset == 0 {
            return Err(Errno::EINVAL);
        }
        if symbol.is_some() {
            self.spots.push((spec.offset, spec.pid));
        }
        self.perf.push((spec.kind, spec.config, symbol));
        self.give(Thing::Perf(spec.kind))
    }

    fn perf_ioctl(&mut self, event: Fd, command: PerfCommand) -> Sys<()> {
        self.of(0);
        self.call()?;
        if let PerfCommand::SetBpf(prog) = command {
            self.attached.push(format!("{:?} to {:?} by ioctl", self.open[&prog.0], self.open[&event.0]));
        }
        Ok(())
    }

    fn stop_fd(&mut self) -> Sys<Fd> {
        self.of(0);
        self.call()?;
        self.give(Thing::Signals)
    }

    fn now(&mut self) -> u64 {
        self.now += 1_000_000;
        self.now
    }

    fn real_time(&mut self) -> u64 {
        0
    }

    fn epoll_create(&mut self) -> Sys<Fd> {
        self.of(calls::SERVICE);
        self.call()?;
        self.give(Thing::Epoll)
    }

    fn epoll_add(&mut self, _: Fd, _: Fd, _: u32) -> Sys<()> {
        self.of(0);
        self.call()
    }

    fn epoll_wait(&mut self, _: Fd, timeout_ms: Option<u32>) -> Sys<heapless::Vec<u32, 16>> {
        self.call()?;
        self.now += timeout_ms.map_or(self.patience, u64::from) * 1_000_000;
        Ok(heapless::Vec::new())
    }

    fn writable(&mut self, _: Fd) -> bool {
        true
    }
}
