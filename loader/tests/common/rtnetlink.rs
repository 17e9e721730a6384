//! An rtnetlink that keeps interfaces, their XDP programs, clsact and filters, and answers requests for them byte by byte.

use std::collections::{HashMap, VecDeque};

/// An interface.
#[derive(Clone, Debug, Default)]
pub struct Interface {
    pub name: String,
    pub index: u32,
    /// Descriptor of its XDP program by rtnetlink, and the flags that it was given with.
    pub xdp: Option<(i32, u32)>,
    pub clsact: bool,
    /// Parent, handle, info, and the name.
    pub filters: Vec<(u32, u32, u32, String)>,
}

#[derive(Default)]
pub struct Net {
    pub interfaces: Vec<Interface>,
    /// Whether `BPF_LINK_CREATE` takes what is attached to an interface.
    pub no_links: bool,
    /// Requests that are refused: the type, the error, the kernel's words.
    pub refuse: Option<(u16, i32, &'static str)>,
    /// Descriptors of pinned programs, by the ones that made them.
    pub same: HashMap<i32, i32>,
    answers: VecDeque<Vec<u8>>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap())
}

/// All attributes, by type.
fn attrs(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut out = Vec::new();
    while bytes.len() >= 4 {
        let len = usize::from(half(bytes, 0));
        assert!(len >= 4 && len <= bytes.len(), "an attribute of {len} bytes");
        out.push((half(bytes, 2) & 0x3fff, bytes[4..len].to_vec()));
        bytes = &bytes[len.next_multiple_of(4).min(bytes.len())..];
    }
    out
}

fn attr(bytes: &[u8], kind: u16) -> Option<Vec<u8>> {
    attrs(bytes).into_iter().find(|(k, _)| *k == kind).map(|(_, value)| value)
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut out = ((16 + body.len()) as u32).to_ne_bytes().to_vec();
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend([0; 8]);
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

fn acknowledgement(error: i32, words: &str) -> Vec<u8> {
    let mut body = (-error).to_ne_bytes().to_vec();
    body.extend([0; 16]);
    if words.is_empty() {
        return message(2, 0x100, &body);
    }
    body.extend(attribute(1, &[words.as_bytes(), &[0]].concat()));
    message(2, 0x300, &body)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

impl Net {
    pub fn with(names: &[&str]) -> Net {
        let interfaces = (7..).zip(names).map(|(index, name)| Interface {
            name: (*name).to_owned(),
            index,
            ..Interface::default()
        });
        Net { interfaces: interfaces.collect(), ..Net::default() }
    }

    /// Whether a request takes something away, which is never made to fail.
    pub fn undoes(request: &[u8]) -> bool {
        match half(request, 4) {
            37 | 45 | 46 => true,
            19 => {
                attr(&request[32..], 43).and_then(|xdp| attr(&xdp, 1)) == Some((-1i32).to_ne_bytes().to_vec())
            }
            _ => false,
        }
    }

    /// Nothing is attached.
    pub fn is_clean(&self) -> bool {
        self.interfaces.iter().all(|i| i.xdp.is_none() && !i.clsact && i.filters.is_empty())
    }

    pub fn answer(&mut self) -> Option<Vec<u8>> {
        self.answers.pop_front()
    }

    /// A request, as the kernel sees it.
    pub fn hear(&mut self, request: &[u8]) {
        assert_eq!(word(request, 0) as usize, request.len());
        let (kind, flags) = (half(request, 4), half(request, 6));
        assert_eq!(flags & 5, 5, "a request that is acknowledged");
        let body = &request[16..];
        let mut out = Vec::new();
        let result = match self.refuse {
            Some((refused, error, _)) if refused == kind => Err(error),
            _ => self.handle(kind, flags, body, &mut out),
        };
        let words = self.refuse.filter(|_| result.is_err()).map_or("", |r| r.2);
        let dump = flags & 0x300 == 0x300 && matches!(kind, 38 | 46);
        match result {
            // a dump comes in parts, with an end of its own
            Ok(()) if dump => {
                self.answers.extend(out);
                self.answers.push_back(message(3, 2, &[0; 4]));
            }
            result => {
                let mut all = out.concat();
                all.extend(acknowledgement(result.err().unwrap_or(0), words));
                self.answers.push_back(all);
            }
        }
    }

    fn by_index(&mut self, index: u32) -> Result<&mut Interface, i32> {
        self.interfaces.iter_mut().find(|i| i.index == index).ok_or(19)
    }

    fn handle(&mut self, kind: u16, flags: u16, body: &[u8], out: &mut Vec<Vec<u8>>) -> Result<(), i32> {
        let index = word(body, 4);
        let tcm = |i: &Interface, (parent, handle, info): (u32, u32, u32)| {
            [0, i.index, handle, parent, info].map(u32::to_ne_bytes).concat()
        };
        match kind {
            18 => {
                let name = text(&attr(&body[16..], 3).unwrap());
                let found = self.interfaces.iter().find(|i| i.name == name).ok_or(19)?;
                let mut body = [0, found.index, 0, 0].map(u32::to_ne_bytes).concat();
                let id = found.xdp.map_or(0, |(fd, _)| fd as u32);
                body.extend(attribute(43, &attribute(4, &id.to_ne_bytes())));
                out.push(message(16, 0, &body));
            }
            19 => {
                let xdp = attr(&body[16..], 43).unwrap();
                let number = |kind| attr(&xdp, kind).map(|v| word(&v, 0));
                let (fd, flags) = (number(1).unwrap() as i32, number(3).unwrap());
                let expected =
                    number(8).map(|fd| self.same.get(&(fd as i32)).map_or(fd, |&made| made as u32));
                let i = self.by_index(index)?;
                match (fd, i.xdp) {
                    (-1, Some(_)) if expected.is_some_and(|e| i.xdp.map(|x| x.0 as u32) != Some(e)) => {
                        return Err(17);
                    }
                    (-1, _) => i.xdp = None,
                    (_, Some(_)) if flags & 1 != 0 => return Err(16),
                    (fd, _) => i.xdp = Some((fd, flags)),
                }
            }
            36 | 37 => {
                assert_eq!((word(body, 8), word(body, 12)), (0xffff_0000, 0xffff_fff1));
                let i = self.by_index(index)?;
                if (kind == 36) == i.clsact {
                    return Err(if kind == 36 { 17 } else { 2 });
                }
                i.clsact = kind == 36;
            }
            38 => {
                for i in self.interfaces.iter().filter(|i| i.clsact) {
                    let mut body = tcm(i, (0xffff_fff1, 0xffff_0000, 0));
                    body.extend(attribute(1, b"clsact\0"));
                    out.push(message(36, 2, &body));
                }
            }
            44 => {
                let (parent, info) = (word(body, 12), word(body, 16));
                let options = attr(&body[20..], 2).unwrap();
                let name = attr(&options, 7).or_else(|| {
                    let action = attr(&attr(&options, 2)?, 1)?;
                    assert_eq!(attr(&action, 1), Some(b"bpf\0".to_vec()));
                    attr(&attr(&action, 2)?, 6)
                });
                let i = self.by_index(index)?;
                let priority = if info >> 16 == 0 { 0xc000 } else { info >> 16 };
                let filter = (parent, 1, priority << 16 | info & 0xffff, text(&name.unwrap()));
                assert_ne!(flags & 8, 0, "the handle is needed");
                out.push(message(44, 0, &tcm(i, (filter.0, filter.1, filter.2))));
                i.filters.push(filter);
            }
            45 => {
                let what = (word(body, 12), word(body, 8), word(body, 16));
                let i = self.by_index(index)?;
                let at = i.filters.iter().position(|f| (f.0, f.1, f.2) == what).ok_or(2)?;
                i.filters.remove(at);
            }
            46 => {
                let parent = word(body, 12);
                let i = self.by_index(index)?;
                for f in i.filters.iter().filter(|f| f.0 == parent) {
                    // the priority is told of first
                    out.push(message(44, 2, &tcm(i, (f.0, 0, f.2))));
                    let mut body = tcm(i, (f.0, f.1, f.2));
                    let name = attribute(7, &[f.3.as_bytes(), &[0]].concat());
                    body.extend(attribute(2, &name));
                    out.push(message(44, 2, &body));
                }
            }
            _ => panic!("a request of type {kind}"),
        }
        Ok(())
    }
}
