//! The grammar of declarations, in nom, and the names they may use.

use super::{Composite, CompositeKind, Int, IntKind, Type};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_until, take_while1};
use nom::character::complete::{char, digit1, hex_digit1, multispace1, not_line_ending};
use nom::combinator::{cut, map_res, opt, peek, recognize, value, verify};
use nom::error::{ErrorKind, FromExternalError, ParseError};
use nom::multi::{many0, separated_list1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{Err, IResult, Parser};

/// Depth of structs within structs; the parser recurses once for each.
const MAX_DEPTH: u32 = 16;

/// Where parsing stopped, and why.
#[derive(Debug)]
pub(super) struct Fail<'a> {
    /// The rest of the text from there.
    pub(super) at: &'a str,
    /// What would be taken, or what is wrong.
    pub(super) why: String,
}

impl<'a> ParseError<&'a str> for Fail<'a> {
    fn from_error_kind(at: &'a str, _: ErrorKind) -> Self {
        Fail { at, why: "not understood".into() }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

impl<'a, E: ToString> FromExternalError<&'a str, E> for Fail<'a> {
    fn from_external_error(at: &'a str, _: ErrorKind, e: E) -> Self {
        Fail { at, why: e.to_string() }
    }
}

type Parsed<'a, T> = IResult<&'a str, T, Fail<'a>>;

/// Stops at `at` for good, no alternative being tried.
fn fail<T>(at: &str, why: impl Into<String>) -> Parsed<'_, T> {
    Err(Err::Failure(Fail { at, why: why.into() }))
}

/// Says what `parser` wants where it does not match.
fn expect<'a, T>(
    why: &'static str,
    mut parser: impl Parser<&'a str, Output = T, Error = Fail<'a>>,
) -> impl FnMut(&'a str) -> Parsed<'a, T> {
    move |input| match parser.parse(input) {
        Err(Err::Error(f)) => fail(f.at, format!("expected {why}")),
        other => other,
    }
}

/// Parses all of `text`; the result is its last definition.
pub(super) fn parse(text: &str) -> Result<Composite, Fail<'_>> {
    let mut defined = Vec::new();
    let mut rest = blank(text).map_or(text, |(rest, ())| rest);
    while !rest.is_empty() {
        match definition(rest, &defined) {
            Ok((next, composite)) => {
                defined.push(composite);
                rest = next;
            }
            Err(Err::Error(f) | Err::Failure(f)) => return Err(f),
            Err(Err::Incomplete(_)) => return Err(Fail { at: rest, why: "incomplete".into() }),
        }
    }
    match defined.pop() {
        Some(last) if last.kind == CompositeKind::Struct => Ok(last),
        _ => Err(Fail { at: rest, why: "expected a struct as the last definition: it is the event".into() }),
    }
}

/// Spaces and comments.
fn blank(input: &str) -> Parsed<'_, ()> {
    let comment =
        alt((recognize((tag("//"), not_line_ending)), recognize((tag("/*"), take_until("*/"), tag("*/")))));
    value((), many0(alt((multispace1, comment)))).parse(input)
}

/// `parser` and the blanks behind it.
fn token<'a, T>(
    parser: impl Parser<&'a str, Output = T, Error = Fail<'a>>,
) -> impl Parser<&'a str, Output = T, Error = Fail<'a>> {
    terminated(parser, blank)
}

fn symbol<'a>(c: char) -> impl Parser<&'a str, Output = char, Error = Fail<'a>> {
    token(char(c))
}

fn word(input: &str) -> Parsed<'_, &str> {
    let letters = take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_');
    token(verify(letters, |w: &str| !w.starts_with(|c: char| c.is_ascii_digit()))).parse(input)
}

fn keyword<'a>(wanted: &'static str) -> impl Parser<&'a str, Output = &'a str, Error = Fail<'a>> {
    verify(word, move |w: &str| w == wanted)
}

fn number(input: &str) -> Parsed<'_, u32> {
    let hex = preceded(alt((tag("0x"), tag("0X"))), cut(hex_digit1));
    token(alt((
        map_res(hex, |d| u32::from_str_radix(d, 16).map_err(|_| "larger than 32 bits")),
        map_res(digit1, |d: &str| d.parse::<u32>().map_err(|_| "larger than 32 bits")),
    )))
    .parse(input)
}

fn kind(input: &str) -> Parsed<'_, CompositeKind> {
    alt((value(CompositeKind::Struct, keyword("struct")), value(CompositeKind::Union, keyword("union"))))
        .parse(input)
}

/// `struct NAME { … };`
fn definition<'a>(input: &'a str, defined: &[Composite]) -> Parsed<'a, Composite> {
    if input.starts_with('#') {
        return fail(input, "there is no preprocessor here: write constants as numbers");
    }
    let (rest, kind) = expect("`struct NAME { … };`", kind).parse(input)?;
    let (body, name) = expect("the name of the event type", word).parse(rest)?;
    if defined.iter().any(|d| d.kind == kind && d.name.as_deref() == Some(name)) {
        return fail(rest, format!("`{kind} {name}` is defined above already"));
    }
    let (rest, composite) = members(body, kind, Some(name), defined, 0)?;
    let (rest, _) = expect("`;` behind the definition", symbol(';')).parse(rest)?;
    Ok((rest, composite))
}

/// `{ MEMBERS }`, laid out.
fn members<'a>(
    input: &'a str,
    kind: CompositeKind,
    name: Option<&str>,
    defined: &[Composite],
    depth: u32,
) -> Parsed<'a, Composite> {
    if depth == MAX_DEPTH {
        return fail(input, format!("more than {MAX_DEPTH} structs within each other"));
    }
    let (mut rest, _) = expect("`{`", symbol('{')).parse(input)?;
    let mut found: Vec<(Option<String>, Type)> = Vec::new();
    while peek(opt(char::<_, Fail<'_>>('}'))).parse(rest)?.1.is_none() {
        rest = member(rest, &mut found, defined, depth)?.0;
    }
    let (rest, _) = symbol('}').parse(rest)?;
    if found.is_empty() {
        return fail(input, format!("a {kind} needs a member"));
    }
    match Composite::lay_out(kind, name.map(str::to_string), found) {
        Some(composite) => Ok((rest, composite)),
        None => fail(input, "larger than 64 KiB"),
    }
}

/// `TYPE NAME, *NAME, NAME[N];` or an anonymous struct or union; what it declares goes to `found`.
fn member<'a>(
    input: &'a str,
    found: &mut Vec<(Option<String>, Type)>,
    defined: &[Composite],
    depth: u32,
) -> Parsed<'a, ()> {
    let (rest, base) = base_type(input, defined, depth)?;
    if let (Ok((after, _)), Base::Type(Type::Composite(c))) = (symbol(';').parse(rest), &base)
        && c.name.is_none()
    {
        found.push((None, Type::Composite(c.clone())));
        return Ok((after, ()));
    }
    let (end, list) = separated_list1(symbol(','), declarator).parse(rest)?;
    for Declarator { at, pointer, name, dimensions } in list {
        let ty = match (&base, pointer) {
            (_, true) => Type::Pointer,
            (Base::Type(ty), false) => ty.clone(),
            (Base::PointedTo(what), false) => return fail(input, what.clone()),
        };
        let ty = dimensions.into_iter().rev().fold(ty, |ty, len| Type::Array { element: Box::new(ty), len });
        if found.iter().any(|(n, _)| n.as_deref() == Some(name)) {
            return fail(at, format!("there is a member `{name}` already"));
        }
        found.push((Some(name.to_string()), ty));
    }
    if end.starts_with(':') {
        return fail(end, "bit-fields are not taken");
    }
    let (end, _) = expect("`;`, `,` or `[NUMBER]` behind the member", symbol(';')).parse(end)?;
    Ok((end, ()))
}

/// What a member's type begins with.
enum Base {
    /// A type.
    Type(Type),
    /// One that can only be pointed to, and why.
    PointedTo(String),
}

fn base_type<'a>(input: &'a str, defined: &[Composite], depth: u32) -> Parsed<'a, Base> {
    let qualifiers = |i| value((), many0(alt((keyword("const"), keyword("volatile"))))).parse(i);
    let (input, ()) = qualifiers(input)?;
    if let Ok((rest, kind)) = kind(input) {
        let (body, name) = opt(word).parse(rest)?;
        if body.starts_with('{') {
            let (rest, composite) = members(body, kind, name, defined, depth + 1)?;
            return Ok((rest, Base::Type(Type::Composite(composite))));
        }
        let Some(name) = name else { return fail(rest, "expected a name or `{`") };
        let earlier = defined.iter().find(|d| d.kind == kind && d.name.as_deref() == Some(name));
        let base = match earlier {
            Some(c) => Base::Type(Type::Composite(c.clone())),
            None => Base::PointedTo(format!("`{kind} {name}` is not defined above")),
        };
        return Ok((qualifiers(body)?.0, base));
    }
    let simple = ["unsigned", "signed", "char", "short", "int", "long", "_Bool", "const", "volatile"];
    let (rest, words) = many0(verify(word, |w: &str| simple.contains(&w))).parse(input)?;
    if !words.is_empty() {
        return match plain_int(&words) {
            Some(int) => Ok((rest, Base::Type(Type::Int(int)))),
            None => fail(input, format!("`{}` is no integer type", words.join(" "))),
        };
    }
    let (rest, name) = expect("the type of a member", word).parse(input)?;
    let base = match (typedef(name), name) {
        (Some(int), _) => Base::Type(Type::Int(int)),
        (None, "void") => Base::PointedTo("`void` has no size".into()),
        (None, "float" | "double" | "enum" | "typedef") => {
            return fail(
                input,
                format!("`{name}` is not taken: members are integers, pointers, structs and unions"),
            );
        }
        (None, _) => {
            return fail(
                input,
                format!("no integer type is called `{name}`; write it as `__u32` or the like"),
            );
        }
    };
    Ok((qualifiers(rest)?.0, base))
}

/// A member's name and what is around it.
struct Declarator<'a> {
    at: &'a str,
    pointer: bool,
    name: &'a str,
    dimensions: Vec<u32>,
}

fn declarator(input: &str) -> Parsed<'_, Declarator<'_>> {
    let star = alt((value((), symbol('*')), value((), keyword("const")), value((), keyword("volatile"))));
    let (at, stars) = many0(star).parse(input)?;
    let (rest, name) = expect("the name of a member", word).parse(at)?;
    let length = verify(number, |&n| n > 0);
    let dimension = delimited(
        symbol('['),
        expect("an array's length: a number from 1", length),
        expect("`]`", symbol(']')),
    );
    let (rest, dimensions) = many0(dimension).parse(rest)?;
    Ok((rest, Declarator { at, pointer: !stars.is_empty(), name, dimensions }))
}

const fn int(name: &'static str, bytes: u8, kind: IntKind) -> Int {
    Int { name, bytes, kind }
}

const SCHAR: Int = int("signed char", 1, IntKind::Signed);
const UCHAR: Int = int("unsigned char", 1, IntKind::Unsigned);
const SHORT: Int = int("short", 2, IntKind::Signed);
const USHORT: Int = int("unsigned short", 2, IntKind::Unsigned);
const INT: Int = int("int", 4, IntKind::Signed);
const UINT: Int = int("unsigned int", 4, IntKind::Unsigned);
const LONG: Int = int("long", 8, IntKind::Signed);
const ULONG: Int = int("unsigned long", 8, IntKind::Unsigned);
const LLONG: Int = int("long long", 8, IntKind::Signed);
const ULLONG: Int = int("unsigned long long", 8, IntKind::Unsigned);
const BOOL: Int = int("_Bool", 1, IntKind::Bool);

/// The integer that C's own words name, in any order.
fn plain_int(words: &[&str]) -> Option<Int> {
    let mut words: Vec<&str> =
        words.iter().copied().filter(|w| !matches!(*w, "const" | "volatile")).collect();
    words.sort_unstable();
    Some(match words.as_slice() {
        ["char"] => int("char", 1, IntKind::Char),
        ["char", "signed"] => SCHAR,
        ["char", "unsigned"] => UCHAR,
        ["short"] | ["int", "short"] | ["short", "signed"] | ["int", "short", "signed"] => SHORT,
        ["short", "unsigned"] | ["int", "short", "unsigned"] => USHORT,
        ["int"] | ["signed"] | ["int", "signed"] => INT,
        ["unsigned"] | ["int", "unsigned"] => UINT,
        ["long"] | ["int", "long"] | ["long", "signed"] | ["int", "long", "signed"] => LONG,
        ["long", "unsigned"] | ["int", "long", "unsigned"] => ULONG,
        ["long", "long"] | ["int", "long", "long"] | ["long", "long", "signed"] => LLONG,
        ["long", "long", "unsigned"] | ["int", "long", "long", "unsigned"] => ULLONG,
        ["_Bool"] => BOOL,
        _ => return None,
    })
}

/// The integer behind a name that BPF programs have from vmlinux.h.
fn typedef(name: &str) -> Option<Int> {
    Some(match name {
        "__u8" | "u8" | "uint8_t" => UCHAR,
        "__s8" | "s8" | "int8_t" => SCHAR,
        "__u16" | "u16" | "uint16_t" | "__be16" | "__le16" => USHORT,
        "__s16" | "s16" | "int16_t" => SHORT,
        "__u32" | "u32" | "uint32_t" | "__be32" | "__le32" | "uid_t" | "gid_t" => UINT,
        "__s32" | "s32" | "int32_t" | "pid_t" => INT,
        "__u64" | "u64" | "uint64_t" | "__be64" | "__le64" => ULLONG,
        "__s64" | "s64" | "int64_t" | "loff_t" | "ktime_t" => LLONG,
        "size_t" | "uintptr_t" => ULONG,
        "ssize_t" => LONG,
        "bool" => BOOL,
        _ => return None,
    })
}
