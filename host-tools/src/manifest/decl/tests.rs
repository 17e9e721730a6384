//! Layouts against what clang 19 said of the same text (`--target=bpf`, `offsetof`, `sizeof`), and refusals.

use super::*;

/// Name, offset and size of every member, and the size of the whole.
fn layout(text: &str) -> (Vec<(String, u32, u32)>, u32) {
    let c = parse(text).unwrap();
    let members =
        c.members.iter().map(|m| (m.name.clone().unwrap_or_default(), m.offset, m.ty.size())).collect();
    (members, c.size)
}

fn expect(text: &str, members: &[(&str, u32, u32)], size: u32) {
    let members: Vec<_> = members.iter().map(|&(n, at, s)| (n.to_string(), at, s)).collect();
    assert_eq!(layout(text), (members, size), "{text}");
}

#[test]
fn scalars_are_aligned_to_their_size() {
    expect(
        "struct event { __u64 ts; pid_t pid; uid_t uid; int ret, flags; __u64 callers[2]; char comm[16]; char fname[255]; };",
        &[
            ("ts", 0, 8),
            ("pid", 8, 4),
            ("uid", 12, 4),
            ("ret", 16, 4),
            ("flags", 20, 4),
            ("callers", 24, 16),
            ("comm", 40, 16),
            ("fname", 56, 255),
        ],
        312,
    );
    expect(
        "struct s { char c; long l; bool b; short h; void *p; const char *const *pp; u8 tail; };",
        &[("c", 0, 1), ("l", 8, 8), ("b", 16, 1), ("h", 18, 2), ("p", 24, 8), ("pp", 32, 8), ("tail", 40, 1)],
        48,
    );
    expect(
        "struct s { unsigned long long int a; long unsigned b[0x2][3]; signed char c; unsigned d; };",
        &[("a", 0, 8), ("b", 8, 48), ("c", 56, 1), ("d", 60, 4)],
        64,
    );
}

#[test]
fn structs_and_unions_nest() {
    let text = "
        // IPv4 and IPv6 share their place.
        struct key { __be16 port; __u8 proto; };
        struct event {
            union { __u32 v4; __u8 v6[16]; } addr;
            union { __u64 wide; struct { __u32 low, high; }; };
            struct key keys[2]; /* two of them */
            struct { char c; __u64 x; } inner;
            __u16 last;
        };";
    expect(text, &[("addr", 0, 16), ("", 16, 8), ("keys", 24, 8), ("inner", 32, 16), ("last", 48, 2)], 56);
    let event = parse(text).unwrap();
    assert_eq!(event.member("high").map(|(at, ty)| (at, ty.size())), Some((20, 4)));
    assert_eq!(event.member("none"), None);
    assert_eq!((event.align, event.name.as_deref()), (8, Some("event")));
}

#[test]
fn integers_keep_their_kind() {
    let c = parse("struct s { char c; bool b; __s32 i; __u32 u; };").unwrap();
    let kinds: Vec<_> = c
        .members
        .iter()
        .map(|m| match m.ty {
            Type::Int(i) => (i.name, i.kind),
            _ => unreachable!("all are integers"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            ("char", IntKind::Char),
            ("_Bool", IntKind::Bool),
            ("int", IntKind::Signed),
            ("unsigned int", IntKind::Unsigned)
        ]
    );
}

#[test]
fn what_is_not_taken_is_named_with_its_place() {
    let refused = |text: &str, why: &str| {
        let said = parse(text).unwrap_err().to_string();
        assert!(said.contains(why), "{text}: {said}");
    };
    refused("struct e { int a : 3; };", "line 1, column 18 of the declaration, at `: 3; };`: bit-fields");
    refused(
        "struct e {\n  int a;\n  wchar_t b;\n};",
        "line 3, column 3 of the declaration, at `wchar_t b;`: no integer",
    );
    refused("#define N 4\nstruct e { int a; };", "write constants as numbers");
    refused("struct e { int a[N]; };", "an array's length: a number from 1");
    refused("struct e { int a[0]; };", "an array's length: a number from 1");
    refused("struct e { int a[99999999999]; };", "an array's length: a number from 1");
    refused("struct e { int a[20000]; int b; };", "larger than 64 KiB");
    refused("struct e { int a[4294967295][4294967295]; };", "larger than 64 KiB");
    refused("struct e { struct task_struct t; };", "`struct task_struct` is not defined above");
    refused("struct e { void v; };", "`void` has no size");
    refused("struct e { int a; char a; };", "there is a member `a` already");
    refused("struct e { float f; };", "`float` is not taken");
    refused("struct e { unsigned bool b; };", "expected `;`");
    refused("struct e { short char c; };", "`short char` is no integer type");
    refused("struct e { int a };", "expected `;`");
    refused("struct e { int a; }", "at the end: expected `;` behind");
    refused("struct e { int", "expected the name of a member");
    refused("struct e { };", "a struct needs a member");
    refused("union e { int a; };", "a struct as the last");
    refused("", "a struct as the last");
    refused("int a;", "`struct NAME { … };`");
    refused("struct e { struct {", "expected the type of a member");
    refused(&format!("struct e {{ {}", "struct { ".repeat(100_000)), "more than 16");
}

#[test]
fn a_pointer_needs_no_definition() {
    expect("struct e { struct task_struct *t; };", &[("t", 0, 8)], 8);
}
