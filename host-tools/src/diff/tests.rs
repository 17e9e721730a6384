//! Each kind of difference on types made by hand; real kernels and objects are the tests crate's.

use super::*;
use crate::btf::OwnedBtf;
use crate::subset::BtfWriter;
use corelet_core::btf::Kind;
use corelet_core::{Endian, TypeId};

/// A kernel being written: `int` is type 1, `unsigned long` type 2, a pointer to void type 3.
struct Kernel(BtfWriter);

impl Kernel {
    fn new() -> Kernel {
        let mut w = BtfWriter::new(Endian::Little);
        w.push("int", Kind::Int, false, 0, 4, &[0x0100_0020]);
        w.push("long unsigned int", Kind::Int, false, 0, 8, &[64]);
        w.push("", Kind::Ptr, false, 0, 0, &[]);
        Kernel(w)
    }

    /// Members are name, type, bit offset, bits.
    fn composite(mut self, kind: Kind, name: &str, size: u32, members: &[(&str, u32, u32, u32)]) -> Kernel {
        let rows =
            members.iter().flat_map(|&(name, ty, at, bits)| [self.0.string(name), ty, bits << 24 | at]);
        let rows: Vec<u32> = rows.collect();
        self.0.push(name, kind, true, members.len() as u32, size, &rows);
        self
    }

    fn structure(self, name: &str, size: u32, members: &[(&str, u32, u32, u32)]) -> Kernel {
        self.composite(Kind::Struct, name, size, members)
    }

    fn enumeration(mut self, name: &str, values: &[(&str, u32)]) -> Kernel {
        let rows: Vec<u32> = values.iter().flat_map(|&(name, value)| [self.0.string(name), value]).collect();
        self.0.push(name, Kind::Enum, true, values.len() as u32, 4, &rows);
        self
    }

    /// A function of parameters of these types; its prototype comes first.
    fn function(mut self, name: &str, params: &[u32]) -> Kernel {
        let rows: Vec<u32> = params.iter().flat_map(|&ty| [0, ty]).collect();
        let proto = self.0.push("", Kind::FuncProto, false, params.len() as u32, 1, &rows);
        match name.strip_prefix("btf_trace_") {
            Some(_) => {
                let pointer = self.0.push("", Kind::Ptr, false, 0, proto.0, &[]);
                self.0.push(name, Kind::Typedef, false, 0, pointer.0, &[]);
            }
            None => {
                self.0.push(name, Kind::Func, false, 0, proto.0, &[]);
            }
        }
        self
    }

    fn done(self) -> OwnedBtf {
        OwnedBtf::from_bytes(self.0.finish()).unwrap()
    }
}

fn changes(a: Kernel, b: Kernel) -> Vec<TypeChange> {
    diff(&a.done().view(), &b.done().view(), &|_, _| true).unwrap()
}

fn told(a: Kernel, b: Kernel) -> String {
    let mut out = String::new();
    write(&mut out, &changes(a, b), None).unwrap();
    out
}

#[test]
fn members_tell_what_became_of_them() {
    let a = Kernel::new().structure(
        "s",
        40,
        &[
            ("kept", 1, 0, 0),
            ("moved", 1, 32, 0),
            ("typed", 1, 64, 0),
            ("bits", 1, 96, 3),
            ("gone", 2, 128, 0),
            ("old", 3, 192, 0),
        ],
    );
    let b = Kernel::new().structure(
        "s",
        48,
        &[
            ("kept", 1, 0, 0),
            ("typed", 2, 64, 0),
            ("bits", 1, 128, 4),
            ("old_one", 3, 192, 0),
            ("fresh", 2, 256, 0),
            ("moved", 1, 320, 0),
        ],
    );
    let want = "struct s: 40 -> 48 bytes
  changed  typed  int at 8 (4 bytes) -> long unsigned int at 8 (8 bytes)
  changed  bits   int at 12 (bits 0 to 2) -> int at 16 (bits 0 to 3)
  new      fresh  long unsigned int at 32 (8 bytes)
  moved    moved  4 -> 40
  gone     gone   long unsigned int at 16 (8 bytes)
  renamed  old    perhaps old_one, of the same type in the same place: void * at 24 (8 bytes)
";
    assert_eq!(told(a, b), want);
}

#[test]
fn a_member_that_went_into_another_struct_is_found_there() {
    let a = Kernel::new().structure("inner", 8, &[("x", 2, 0, 0)]).structure(
        "outer",
        24,
        &[("in", 4, 0, 0), ("pin_count", 2, 64, 0), ("lock", 2, 128, 0)],
    );
    let b = Kernel::new()
        .structure("inner", 16, &[("x", 2, 0, 0), ("pin_count", 2, 64, 0)])
        .structure("outer", 16, &[("in", 4, 0, 0)])
        .structure("far", 16, &[("pin_count", 2, 0, 0), ("lock", 1, 64, 0)]);
    let changes = changes(a, b);
    let outer = changes.iter().find(|c| c.name == "outer").unwrap();
    let part = |name: &str| outer.parts.iter().find(|p| p.name == name).unwrap();
    assert_eq!(
        part("pin_count").elsewhere,
        ["struct inner .pin_count at 8"],
        "not far, which outer does not lead to"
    );
    assert!(part("lock").elsewhere.is_empty(), "of another type there");
    assert_eq!(part("in").change, Change::Changed, "its size is another");
}

#[test]
fn members_of_what_has_no_name_are_members() {
    let with = |at| {
        Kernel::new().composite(Kind::Union, "", 8, &[("a", 1, 0, 0), ("b", 2, 0, 0)]).structure(
            "s",
            32,
            &[("", 4, at, 0), ("u", 4, 128, 0)],
        )
    };
    assert_eq!(changes(with(0), with(0)), []);
    let found = changes(with(0), with(64));
    let names: Vec<_> = found[0].parts.iter().map(|p| (&*p.name, p.change)).collect();
    assert_eq!(names, [("a", Change::Moved), ("b", Change::Moved)]);
}

#[test]
fn enumerators_functions_and_tracepoints() {
    let kernel = |b: u32, params: &[u32]| {
        Kernel::new()
            .enumeration("e", &[("A", 0), ("B", b)])
            .enumeration("", &[("LONE", b)])
            .function("vfs_read", params)
            .function("btf_trace_sched_switch", params)
    };
    assert_eq!(changes(kernel(1, &[1]), kernel(1, &[1])), []);
    let want = "enum without a name
  changed  LONE  1 -> 2
enum e
  changed  B  1 -> 2
function vfs_read
  - int (int)
  + int (int, void *)
tracepoint sched_switch
  - int (*)(int)
  + int (*)(int, void *)
";
    assert_eq!(told(kernel(1, &[1]), kernel(2, &[1, 3])), want);
    let gone = changes(kernel(1, &[1]), Kernel::new());
    assert!(gone.len() == 4 && gone.iter().all(|c| c.change == Change::Gone));
}

#[test]
fn of_several_types_of_a_name_the_same_ones_are_paired() {
    let one = |k: Kernel, at| k.structure("s", 16, &[("a", 1, at, 0)]);
    let a = one(one(Kernel::new(), 0), 32);
    let b = one(one(Kernel::new(), 64), 0);
    let found = changes(a, b);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].parts[0].change, Change::Moved);
    let (a, b) = (one(Kernel::new(), 0), one(one(Kernel::new(), 0), 0));
    assert_eq!(changes(a, b).iter().map(|c| c.change).collect::<Vec<_>>(), [Change::New]);
}

#[test]
fn a_row_of_members_that_moved_together_is_one_line() {
    let at = |by| {
        let members: Vec<_> =
            ["a", "b", "c", "d"].into_iter().zip(0u32..).map(|(n, i)| (n, 1, 32 * i + by, 0)).collect();
        Kernel::new().structure("s", 32, &members)
    };
    assert_eq!(
        told(at(0), at(64)),
        "struct s\n  moved    4 members from a to d by +8 bytes: 0 -> 8 ... 12 -> 20\n"
    );
}

#[test]
fn nesting_without_measure_ends() {
    // each level has two members of the level below: 2 to the power of 40 fields
    let mut k = Kernel::new().structure("", 8, &[("", 1, 0, 0)]);
    for level in 4..44 {
        k = k.structure("", 8, &[("", level, 0, 0), ("", level, 0, 0)]);
    }
    k = k.structure("s", 8, &[("", 44, 0, 0)]);
    let btf = k.done();
    let error = diff(&btf.view(), &btf.view(), &|_, _| true).unwrap_err();
    assert!(format!("{error:#}").contains("more members than any kernel"), "{error:#}");
    let mut itself = Kernel::new();
    let id = itself.0.next_id();
    itself = itself.structure("", 8, &[("a", id.0, 0, 0)]).structure("s", 8, &[("", id.0, 0, 0)]);
    let btf = itself.done();
    assert!(diff(&btf.view(), &btf.view(), &|_, _| true).unwrap().is_empty());
    assert_ne!(id, TypeId::VOID);
}
