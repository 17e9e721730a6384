//! Rules of the union, on kernels made by hand.

use super::*;
use crate::btf::dump::tests::{Builder, body};
use crate::btf::dump::{Options, union_to_c};

const INT: u32 = 1;
const LONG: u32 = 2;
const UNSIGNED: u32 = 3;

/// A kernel whose long has `bytes`: int, long, unsigned long.
fn kernel(bytes: u32) -> Builder {
    let mut b = Builder::new();
    b.int("int", 4, 1);
    b.int("long int", bytes, 1);
    b.int("long unsigned int", bytes, 0);
    b
}

fn text(kernels: Vec<(&str, u8, Builder)>) -> String {
    let owned: Vec<_> = kernels.into_iter().map(|(label, size, b)| (label.to_owned(), b.btf(size))).collect();
    let labelled: Vec<_> =
        owned.iter().map(|(label, btf)| Labelled { label: label.clone(), btf: btf.view() }).collect();
    let text = merge_within(&labelled, 100_000).and_then(|merged| union_to_c(&merged, &Options::default()));
    text.map_or_else(|e| format!("{e:#}"), |text| body(&text).to_owned())
}

#[test]
fn members_of_all_kernels_are_in_one_type() {
    let mut new = kernel(8);
    new.composite("task", Kind::Struct, 16, &[("__state", INT, 0, 0), ("pid", INT, 64, 0)]);
    let mut old = kernel(8);
    old.composite("task", Kind::Struct, 16, &[("state", LONG, 0, 0), ("pid", INT, 64, 0)]);
    old.composite("gone", Kind::Struct, 4, &[("a", INT, 0, 0)]);
    assert_eq!(
        text(vec![("new", 8, new), ("old", 8, old)]),
        "\nstruct task {\n\tint __state;\n\tint pid;\n\tlong int state;\n};\n\nstruct gone {\n\tint a;\n};\n"
    );
}

#[test]
fn an_array_without_an_end_stays_the_last() {
    let pid = |end: &str, more: &[(&str, u32, u32, u32)]| {
        let mut b = kernel(8);
        b.ty("", Kind::Array, 0, 0, &[INT, INT, 0]);
        let mut members = vec![("level", INT, 0, 0)];
        members.extend(more);
        members.push((end, 4, 64, 0));
        b.composite("pid", Kind::Struct, 8, &members);
        b
    };
    assert_eq!(
        text(vec![
            ("new", 8, pid("numbers", &[])),
            ("mid", 8, pid("numbers", &[("count", INT, 32, 0)])),
            ("old", 8, pid("upids", &[])),
        ]),
        "\nstruct pid {\n\tint level;\n\tint count;\n\tint numbers[0];\n};\n\nstruct pid___old {\n\tint upids[0];\n};\n"
    );
}

#[test]
fn what_is_the_same_everywhere_keeps_its_layout() {
    let header = |mut b: Builder| {
        b.composite("header", Kind::Struct, 16, &[("a", INT, 0, 0), ("b", INT, 64, 0)]);
        b
    };
    let shown = "\nstruct header {\n\tint a;\n\tlong: 32;\n\tint b;\n\tlong: 32;\n};\n";
    assert_eq!(text(vec![("a", 8, header(kernel(8))), ("b", 4, header(kernel(4)))]), shown);
}

#[test]
fn what_does_not_fit_is_in_a_flavor_with_nothing_else() {
    let exit = |mut b: Builder| {
        b.composite(
            "exit",
            Kind::Struct,
            24,
            &[("id", INT, 0, 0), ("ret", LONG, 64, 0), ("ip", UNSIGNED, 128, 0)],
        );
        b
    };
    // a signed long of 4 bytes is no load of 8; an unsigned one is resized
    assert_eq!(
        text(vec![("arm64", 8, exit(kernel(8))), ("arm", 4, exit(kernel(4)))]),
        "\nstruct exit {\n\tint id;\n\tlong int ret;\n\tlong unsigned int ip;\n};\n\
         \nstruct exit___arm {\n\tint ret;\n};\n"
    );
}

#[test]
fn members_of_nameless_types_are_found_by_name() {
    let mut one = kernel(8);
    one.composite("", Kind::Union, 8, &[("a", INT, 0, 0), ("b", LONG, 0, 0)]);
    one.composite("x", Kind::Struct, 8, &[("", 4, 0, 0)]);
    let mut two = kernel(8);
    two.composite("x", Kind::Struct, 16, &[("b", LONG, 0, 0), ("a", INT, 64, 0)]);
    let shown = "\nstruct x {\n\tunion {\n\t\tint a;\n\t\tlong int b;\n\t};\n};\n";
    assert_eq!(text(vec![("one", 8, one), ("two", 8, two)]), shown);
}

#[test]
fn a_typedef_that_means_something_else_is_a_flavor_too() {
    let mut one = kernel(8);
    one.ty("mask_t", Kind::Typedef, 0, UNSIGNED, &[]);
    one.composite("x", Kind::Struct, 8, &[("mask", 4, 0, 0)]);
    let mut two = kernel(8);
    two.ty("", Kind::Ptr, 0, INT, &[]);
    two.ty("mask_t", Kind::Typedef, 0, 4, &[]);
    two.composite("x", Kind::Struct, 8, &[("mask", 5, 0, 0)]);
    assert_eq!(
        text(vec![("one", 8, one), ("two", 8, two)]),
        "\ntypedef long unsigned int mask_t;\n\nstruct x {\n\tmask_t mask;\n};\n\
         \ntypedef int *mask_t___two;\n\nstruct x___two {\n\tmask_t___two mask;\n};\n"
    );
}

#[test]
fn enumerators_are_those_of_all_and_other_numbers_are_listed() {
    let mut one = kernel(8);
    let (first, second) = (one.name("FIRST"), one.name("SECOND"));
    one.ty("reason", Kind::Enum, 2, 4, &[first, 1, second, 2]);
    let mut two = kernel(8);
    let (first, second, third) = (two.name("FIRST"), two.name("SECOND"), two.name("THIRD"));
    two.ty("reason", Kind::Enum, 3, 4, &[first, 1, third, 2, second, 3]);
    let shown = text(vec![("one", 8, one), ("two", 8, two)]);
    assert!(shown.contains("enum reason {\n\tFIRST = 1,\n\tSECOND = 2,\n\tTHIRD = 2,\n};"), "{shown}");
    assert!(shown.contains("\n * SECOND: 3 in two\n"), "{shown}");
    assert!(!shown.contains("* FIRST"), "{shown}");
}

#[test]
fn labels_are_told_apart() {
    assert!(text(vec![("a", 8, kernel(8)), ("a", 8, kernel(8))]).contains("name them as LABEL=KERNEL"));
    assert!(text(vec![("a__b", 8, kernel(8))]).contains("single underscores"));
}

#[test]
fn nameless_types_within_each_other_without_end_are_refused() {
    // each level has the next one twice: a walk over all ways would take 2 to the 60
    let hostile = |last: &str| {
        let mut b = kernel(8);
        b.composite("", Kind::Struct, 0, &[(last, INT, 0, 0)]);
        for id in 4..64 {
            b.composite("", Kind::Struct, 0, &[("", id, 0, 0), ("", id, 0, 0)]);
        }
        b.composite("x", Kind::Struct, 0, &[("", 64, 0, 0)]);
        b
    };
    let said = text(vec![("a", 8, hostile("a")), ("b", 8, hostile("b"))]);
    assert!(said.contains("more members are to be compared"), "{said}");
}
