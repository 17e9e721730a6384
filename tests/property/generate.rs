//! Random types as a C programmer could write them, and what a kernel of another version may have made of them.

use corelet_core::TypeId;
use corelet_core::btf::Kind;
use corelet_host_tools::subset::BtfWriter;

/// Numbers from a seed: xorshift64*.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % u64::from(end)) as u32
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    fn pick<'x, T>(&mut self, of: &'x [T]) -> &'x T {
        &of[self.below(of.len() as u32) as usize]
    }
}

/// A type.
#[derive(Clone, Debug)]
pub(super) enum Ty {
    Void,
    /// Bytes, and the encoding's bits.
    Int(u32, u32),
    Float(u32),
    Ptr(Box<Ty>),
    Array(Box<Ty>, u32),
    /// A modifier or typedef.
    Mod(Kind, String, Box<Ty>),
    Composite(Composite),
    Enum(Enum),
    Fwd(String, bool),
    Proto(Box<Ty>, Vec<Ty>),
}

/// A struct or union.
#[derive(Clone, Debug)]
pub(super) struct Composite {
    pub(super) union: bool,
    pub(super) name: String,
    pub(super) members: Vec<Member>,
    /// Bytes that stand before the first member.
    pad: u32,
}

/// A member; a bitfield where it has a number of bits.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) ty: Ty,
    bits: u32,
}

/// An enum of 4 or 8 bytes.
#[derive(Clone, Debug)]
pub(super) struct Enum {
    pub(super) name: String,
    size: u32,
    signed: bool,
    values: Vec<(String, u64)>,
}

/// Names of members: few, so that they meet.
const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
const MODIFIERS: [Kind; 5] = [Kind::Const, Kind::Volatile, Kind::Restrict, Kind::Typedef, Kind::TypeTag];

impl Ty {
    /// A type that is nested at most `depth` deep.
    pub(super) fn any(r: &mut Random, depth: u32) -> Ty {
        match r.below(if depth == 0 { 5 } else { 13 }) {
            0..=2 => Ty::Int(1 << r.below(4), *r.pick(&[0, 1, 1, 4])),
            3 => Ty::Enum(Enum::any(r, "")),
            4 => Ty::Ptr(Box::new(Ty::Void)),
            5 => Ty::Ptr(Box::new(match r.below(4) {
                0 => Ty::Fwd(format!("s{}", r.below(4)), r.chance(30)),
                1 => {
                    let result = Box::new(Ty::any(r, 0));
                    Ty::Proto(result, (0..r.below(3)).map(|_| Ty::any(r, 0)).collect())
                }
                _ => Ty::any(r, depth - 1),
            })),
            6 | 7 => Ty::Array(Box::new(Ty::any(r, depth - 1)), 1 + r.below(4)),
            8 => {
                let kind = *r.pick(&MODIFIERS);
                let named = matches!(kind, Kind::Typedef | Kind::TypeTag);
                let name = if named { format!("t{}", r.below(5)) } else { String::new() };
                Ty::Mod(kind, name, Box::new(Ty::any(r, depth - 1)))
            }
            9 => Ty::Float(4 << r.below(2)),
            _ => {
                let name = format!("s{}", r.below(4));
                Ty::Composite(Composite::any(r, &name, depth - 1))
            }
        }
    }

    /// What another kernel may have in its place.
    pub(super) fn changed(&self, r: &mut Random) -> Ty {
        if r.chance(4) {
            return Ty::any(r, 1);
        }
        if r.chance(8) {
            return Ty::Mod(*r.pick(&MODIFIERS[..3]), String::new(), Box::new(self.clone()));
        }
        match self {
            Ty::Int(_, encoding) if r.chance(20) => Ty::Int(1 << r.below(4), *encoding),
            Ty::Int(size, _) if r.chance(10) => Ty::Int(*size, r.below(2)),
            Ty::Array(elem, count) => {
                let count = if r.chance(25) { r.below(6) } else { *count };
                Ty::Array(Box::new(elem.changed(r)), count)
            }
            Ty::Ptr(to) => Ty::Ptr(Box::new(to.changed(r))),
            Ty::Mod(_, _, of) if r.chance(30) => of.changed(r),
            Ty::Mod(kind, name, of) => Ty::Mod(*kind, name.clone(), Box::new(of.changed(r))),
            Ty::Composite(c) => Ty::Composite(c.changed(r)),
            Ty::Enum(e) => Ty::Enum(e.changed(r)),
            Ty::Proto(result, params) => {
                let params = params.iter().filter(|_| !r.chance(5)).cloned().collect::<Vec<_>>();
                Ty::Proto(result.clone(), params)
            }
            other => other.clone(),
        }
    }

    fn size(&self, pointer: u32) -> u32 {
        match self {
            Ty::Void | Ty::Fwd(..) | Ty::Proto(..) => 0,
            Ty::Int(size, _) | Ty::Float(size) => *size,
            Ty::Ptr(_) => pointer,
            Ty::Array(elem, count) => elem.size(pointer) * count,
            Ty::Mod(_, _, of) => of.size(pointer),
            Ty::Composite(c) => c.layout(pointer).1,
            Ty::Enum(e) => e.size,
        }
    }

    fn align(&self, pointer: u32) -> u32 {
        match self {
            Ty::Array(of, _) | Ty::Mod(_, _, of) => of.align(pointer),
            Ty::Composite(c) => c.members.iter().map(|m| m.ty.align(pointer)).max().unwrap_or(1),
            other => other.size(pointer).max(1),
        }
    }

    /// Adds the type to `w`.
    pub(super) fn write(&self, w: &mut BtfWriter, pointer: u32) -> TypeId {
        match self {
            Ty::Void => TypeId::VOID,
            Ty::Int(size, encoding) => w.push(
                &format!("int{size}_{encoding}"),
                Kind::Int,
                false,
                0,
                *size,
                &[(encoding << 24) | (size * 8)],
            ),
            Ty::Float(size) => w.push(&format!("float{size}"), Kind::Float, false, 0, *size, &[]),
            Ty::Ptr(to) => {
                let to = to.write(w, pointer);
                w.push("", Kind::Ptr, false, 0, to.0, &[])
            }
            Ty::Array(elem, count) => {
                let (elem, index) = (elem.write(w, pointer), Ty::Int(4, 0).write(w, pointer));
                w.push("", Kind::Array, false, 0, 0, &[elem.0, index.0, *count])
            }
            Ty::Mod(kind, name, of) => {
                let of = of.write(w, pointer);
                w.push(name, *kind, false, 0, of.0, &[])
            }
            Ty::Composite(c) => c.write(w, pointer),
            Ty::Enum(e) => e.write(w),
            Ty::Fwd(name, union) => w.push(name, Kind::Fwd, *union, 0, 0, &[]),
            Ty::Proto(result, params) => {
                let result = result.write(w, pointer);
                let params: Vec<TypeId> = params.iter().map(|p| p.write(w, pointer)).collect();
                let trailing: Vec<u32> = params.iter().flat_map(|p| [0, p.0]).collect();
                w.push("", Kind::FuncProto, false, params.len() as u32, result.0, &trailing)
            }
        }
    }
}

impl Composite {
    pub(super) fn any(r: &mut Random, name: &str, depth: u32) -> Composite {
        let count = 1 + r.below(6) as usize;
        let start = r.below(NAMES.len() as u32) as usize;
        let mut c = Composite { union: r.chance(25), name: name.to_owned(), members: Vec::new(), pad: 0 };
        for i in 0..count {
            let name = NAMES[(start + i) % NAMES.len()].to_owned();
            let mut m = Member { name, ty: Ty::any(r, depth), bits: 0 };
            m.make_bitfield(r, 40);
            if depth > 0 && r.chance(10) {
                let mut inner = Composite::any(r, "", depth - 1);
                inner.prefix(&m.name);
                m = Member { name: String::new(), ty: Ty::Composite(inner), bits: 0 };
            }
            c.members.push(m);
        }
        if !c.union && r.chance(15) {
            let elem = Box::new(Ty::any(r, depth.min(1)));
            c.members.push(Member { name: "flex".to_owned(), ty: Ty::Array(elem, 0), bits: 0 });
        }
        c
    }

    /// Puts `prefix` before the names that an anonymous struct or union gives to the one around it: in C they are unique.
    fn prefix(&mut self, prefix: &str) {
        for m in &mut self.members {
            match &mut m.ty {
                Ty::Composite(inner) if m.name.is_empty() => inner.prefix(prefix),
                _ => m.name.insert_str(0, prefix),
            }
        }
    }

    fn changed(&self, r: &mut Random) -> Composite {
        let mut c = self.clone();
        if r.chance(10) {
            c.union = !c.union;
        }
        c.pad = if r.chance(30) { 1 << r.below(4) } else { 0 };
        c.members.retain(|_| !r.chance(12));
        c.members = c.members.iter().map(|m| m.changed(r)).collect();
        if r.chance(20) && c.members.len() > 1 {
            let (i, j) = (r.below(c.members.len() as u32) as usize, r.below(c.members.len() as u32) as usize);
            c.members.swap(i, j);
        }
        if r.chance(10) && !c.members.is_empty() {
            let at = r.below(c.members.len() as u32) as usize;
            let inner = Composite {
                union: r.chance(50),
                name: String::new(),
                members: vec![c.members[at].clone()],
                pad: 0,
            };
            c.members[at] = Member { name: String::new(), ty: Ty::Composite(inner), bits: 0 };
        }
        c
    }

    /// Offset of each member in bits, and the size in bytes.
    fn layout(&self, pointer: u32) -> (Vec<u32>, u32) {
        let mut at = self.pad * 8;
        let mut end = at;
        let mut align = 1;
        let mut offsets = Vec::new();
        for m in &self.members {
            if self.union {
                at = 0;
            }
            let (size, own) = (m.ty.size(pointer) * 8, m.ty.align(pointer));
            align = align.max(own);
            let bits = if m.bits > 0 { m.bits } else { size };
            // every third bitfield of a kind is packed across its unit's end
            let crosses = size > 0 && m.bits > 0 && at / size != (at + bits - 1) / size && bits % 3 != 0;
            if m.bits == 0 || crosses {
                at = at.next_multiple_of(own * 8);
            }
            offsets.push(at);
            at += bits;
            end = end.max(at);
        }
        (offsets, end.div_ceil(8).next_multiple_of(align))
    }

    pub(super) fn write(&self, w: &mut BtfWriter, pointer: u32) -> TypeId {
        let (offsets, size) = self.layout(pointer);
        let kflag = self.members.iter().any(|m| m.bits > 0);
        let types: Vec<TypeId> = self.members.iter().map(|m| m.ty.write(w, pointer)).collect();
        let mut trailing = Vec::new();
        for ((m, ty), at) in self.members.iter().zip(types).zip(offsets) {
            trailing.extend([w.string(&m.name), ty.0, if kflag { m.bits << 24 | at } else { at }]);
        }
        let kind = if self.union { Kind::Union } else { Kind::Struct };
        w.push(&self.name, kind, kflag, self.members.len() as u32, size, &trailing)
    }
}

impl Member {
    /// Makes an integer or enum a bitfield in `percent` of a hundred cases.
    fn make_bitfield(&mut self, r: &mut Random, percent: u32) {
        let size = match &self.ty {
            Ty::Int(size, _) => *size,
            Ty::Enum(e) => e.size,
            _ => return,
        };
        self.bits = if r.chance(percent) { 1 + r.below(size * 8) } else { 0 };
    }

    fn changed(&self, r: &mut Random) -> Member {
        let mut m = Member { ty: self.ty.changed(r), ..self.clone() };
        if m.bits > 0 || r.chance(10) {
            m.bits = 0;
            m.make_bitfield(r, 85);
        }
        m
    }
}

impl Enum {
    pub(super) fn any(r: &mut Random, name: &str) -> Enum {
        let (size, signed) = (4 << r.below(2), r.chance(50));
        let values = (0..1 + r.below(5)).map(|i| (format!("V{i}"), u64::from(r.below(9)))).collect();
        Enum { name: name.to_owned(), size, signed, values }
    }

    pub(super) fn changed(&self, r: &mut Random) -> Enum {
        let mut e = self.clone();
        if r.chance(15) {
            e.size = 12 - e.size;
        }
        e.values.retain(|_| !r.chance(15));
        for (_, value) in &mut e.values {
            if r.chance(30) {
                *value = if e.size == 8 { u64::from(r.below(99)) << 30 } else { u64::from(r.below(99)) };
            }
        }
        e
    }

    pub(super) fn write(&self, w: &mut BtfWriter) -> TypeId {
        let mut trailing = Vec::new();
        for (name, value) in &self.values {
            trailing.extend([w.string(name), *value as u32]);
            trailing.extend((self.size == 8).then_some((value >> 32) as u32));
        }
        let kind = if self.size == 8 { Kind::Enum64 } else { Kind::Enum };
        w.push(&self.name, kind, self.signed, self.values.len() as u32, self.size, &trailing)
    }
}

/// A named type that relocations can be about.
#[derive(Clone, Debug)]
pub(super) struct Root(pub(super) Ty);

impl Root {
    pub(super) fn any(r: &mut Random, name: &str) -> Root {
        Root(match r.below(10) {
            0..=5 => Ty::Composite(Composite::any(r, name, 3)),
            6 | 7 => Ty::Enum(Enum::any(r, name)),
            _ => Ty::Mod(Kind::Typedef, name.to_owned(), Box::new(Ty::any(r, 2))),
        })
    }

    /// The same under a flavor of its name.
    pub(super) fn flavored(&self, flavor: &str) -> Root {
        let mut ty = self.0.clone();
        if let Ty::Composite(Composite { name, .. }) | Ty::Enum(Enum { name, .. }) | Ty::Mod(_, name, _) =
            &mut ty
        {
            name.push_str(flavor);
        }
        Root(ty)
    }

    /// What another kernel may have of that name and kind.
    pub(super) fn changed(&self, r: &mut Random) -> Root {
        Root(match &self.0 {
            // the root's own kind and name stay, else it is no candidate
            Ty::Composite(c) => Ty::Composite(Composite { union: c.union, ..c.changed(r) }),
            Ty::Enum(e) => Ty::Enum(e.changed(r)),
            Ty::Mod(kind, name, of) => Ty::Mod(*kind, name.clone(), Box::new(of.changed(r))),
            other => other.clone(),
        })
    }
}
