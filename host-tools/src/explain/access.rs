//! What a relocation is about, in C: `task->mm->arg_start`.
//!
//! The object holds the text of its source lines. Where the line at hand reads the field, by `->` or by one of libbpf's
//! `BPF_CORE_READ` macros, the words of the programmer are given; else the access is written from the spec, with a cast.
//! A macro that goes on in the next line gives what is on the first one. Compilers move instructions: where the line at
//! hand does not read the field, a macro that does in another line of the function is taken, if no other struct of which the
//! function reads a field of that name could be meant.

use corelet_core::btf::Btf;
use corelet_core::relo::{ReloKind, Spec};

use crate::btf::name;

/// Macros that take a pointer and then members, and how many arguments stand before the pointer.
/// Source: libbpf `src/bpf_core_read.h`.
const READS: [(&str, usize); 9] = [
    ("BPF_CORE_READ", 0),
    ("BPF_CORE_READ_USER", 0),
    ("BPF_CORE_READ_BITFIELD", 0),
    ("BPF_CORE_READ_BITFIELD_PROBED", 0),
    ("BPF_CORE_READ_INTO", 1),
    ("BPF_CORE_READ_USER_INTO", 1),
    ("BPF_CORE_READ_STR_INTO", 1),
    ("BPF_CORE_READ_USER_STR_INTO", 1),
    ("BPF_CORE_WRITE_BITFIELD", 0),
];

/// What `spec`, of the object's types `btf`, stands for in C. `line` is the source line, empty where it is not known;
/// `others` are those of the function, the nearest first, if the names of the field tell what is read.
pub(super) fn in_c(btf: &Btf<'_>, spec: &Spec, line: &str, others: &[&str]) -> String {
    let root = name::of(btf, spec.root);
    let call = |macro_name: &str| format!("{macro_name}({root})");
    let enumerator = || spec.points.first().map_or("", |p| spec.name(btf, p));
    match spec.kind {
        ReloKind::TypeIdLocal => call("bpf_core_type_id_local"),
        ReloKind::TypeIdTarget => call("bpf_core_type_id_kernel"),
        ReloKind::TypeExists => call("bpf_core_type_exists"),
        ReloKind::TypeSize => call("bpf_core_type_size"),
        ReloKind::TypeMatches => call("bpf_core_type_matches"),
        ReloKind::EnumvalExists => format!("bpf_core_enum_value_exists({root}, {})", enumerator()),
        ReloKind::EnumvalValue => format!("bpf_core_enum_value({root}, {})", enumerator()),
        _ => from_source(&names(btf, spec), line, others).unwrap_or_else(|| from_spec(btf, spec, &root)),
    }
}

/// `((struct task_struct *)p)->signal.shared[1]`
fn from_spec(btf: &Btf<'_>, spec: &Spec, root: &str) -> String {
    let mut out = format!("(({root} *)p)");
    let mut arrow = "->";
    for (i, p) in spec.points.iter().enumerate() {
        match (i, p.named) {
            (0, false) if p.index == 0 => continue,
            (_, false) => out.push_str(&format!("[{}]", p.index)),
            (_, true) => out.extend([arrow, spec.name(btf, p)]),
        }
        arrow = ".";
    }
    if arrow == "->" { format!("*({root} *)p") } else { out }
}

/// The members that a spec of a field names: `uid` and `val` of `uid.val`.
pub(super) fn names<'a>(btf: &Btf<'a>, spec: &Spec) -> Vec<&'a str> {
    let named = spec.points.iter().filter(|p| p.named);
    named.map(|p| spec.name(btf, p)).collect()
}

/// The access whose last step has these names.
fn from_source(names: &[&str], line: &str, others: &[&str]) -> Option<String> {
    let of_line = |line| {
        accesses(line).into_iter().filter_map(|access| {
            let last = access.steps.iter().position(|step| !names.is_empty() && members(step) == names)?;
            Some((access.form, [&[access.base], &access.steps[..=last]].concat().join("->")))
        })
    };
    let here = of_line(line).min_by_key(|(form, _)| *form);
    let there = || others.iter().flat_map(|line| of_line(line)).find(|(form, _)| *form == Form::Macro);
    here.or_else(there).map(|(_, access)| access)
}

/// How an access is written, the likeliest to be relocated first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// By one of [`READS`].
    Macro,
    /// By arrows.
    Read,
    /// The same on the left of `=`: mostly a field of the program's own event.
    Assigned,
}

/// A pointer and what is read behind it, step by step.
#[derive(Debug, PartialEq, Eq)]
struct Access {
    form: Form,
    base: String,
    steps: Vec<String>,
}

/// A token of C: its place in the line and its text.
type Token<'s> = (usize, &'s str);

fn tokens(line: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let rest = &line[at..];
        let len = if c.is_ascii_alphanumeric() || c == '_' {
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if c == '"' {
            // what is quoted is no code; an escaped quote ends it early, which does no harm
            rest[1..].find('"').map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("->") {
            2
        } else {
            c.len_utf8()
        };
        if !c.is_whitespace() {
            out.push((at, &rest[..len]));
        }
        at += len;
    }
    out
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// All accesses of a line that begin with a pointer.
fn accesses(line: &str) -> Vec<Access> {
    let tokens = tokens(line);
    let mut out = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let read = READS.iter().find(|(name, _)| *name == tokens[at].1);
        if let Some(&(_, before)) = read
            && tokens.get(at + 1).is_some_and(|t| t.1 == "(")
        {
            let mut arguments = arguments(line, &tokens, at + 2).into_iter().skip(before);
            if let Some(base) = arguments.next() {
                out.push(Access { form: Form::Macro, base: operand(base), steps: arguments.collect() });
            }
        } else if tokens[at].1 == "->"
            && let Some(start) = postfix_start(&tokens, at)
        {
            let mut steps = Vec::new();
            let base = line[tokens[start].0..tokens[at].0].trim_end().to_owned();
            while tokens.get(at).is_some_and(|t| t.1 == "->") {
                let end = step_end(&tokens, at + 1);
                let Some(&(last, text)) = tokens.get(end.wrapping_sub(1)).filter(|_| end > at + 1) else {
                    break;
                };
                steps.push(line[tokens[at + 1].0..last + text.len()].to_owned());
                at = end;
            }
            if !steps.is_empty() {
                let next = |n: usize| tokens.get(at + n).map(|t: &Token<'_>| t.1);
                let assigned = next(0) == Some("=") && next(1) != Some("=");
                out.push(Access { form: if assigned { Form::Assigned } else { Form::Read }, base, steps });
                continue;
            }
        }
        at += 1;
    }
    out
}

/// The arguments of a macro from token `at` on, to its closing parenthesis or the end of the line.
fn arguments(line: &str, tokens: &[Token<'_>], mut at: usize) -> Vec<String> {
    let mut out = Vec::new();
    let (mut depth, mut start) = (0usize, at);
    while let Some(&(place, token)) = tokens.get(at) {
        match token {
            "(" | "[" => depth += 1,
            "," | ")" if depth == 0 => {
                if at > start {
                    out.push(line[tokens[start].0..place].trim_end().to_owned());
                }
                if token == ")" {
                    break;
                }
                start = at + 1;
            }
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    out
}

/// `text` as what stands before an arrow: in parentheses unless it is a name or has them.
fn operand(text: String) -> String {
    let tokens = tokens(&text);
    let whole = postfix_start(&tokens, tokens.len()) == Some(0);
    if whole { text } else { format!("({text})") }
}

/// The first token of the postfix expression that ends before token `end`.
fn postfix_start(tokens: &[Token<'_>], end: usize) -> Option<usize> {
    let mut at = end;
    loop {
        let token = tokens.get(at.checked_sub(1)?)?.1;
        at -= 1;
        match token {
            ")" | "]" => {
                let mut depth = 1usize;
                while depth > 0 {
                    at = at.checked_sub(1)?;
                    match tokens[at].1 {
                        ")" | "]" => depth += 1,
                        "(" | "[" => depth -= 1,
                        _ => {}
                    }
                }
                // of a call or an element; a parenthesis of its own is all there is
                let own = token == ")" && !at.checked_sub(1).is_some_and(|b| is_name(tokens[b].1));
                if own {
                    return Some(at);
                }
            }
            name if is_name(name) => match at.checked_sub(1).map(|before| tokens[before].1) {
                Some("." | "->") => at -= 1,
                _ => return Some(at),
            },
            _ => return None,
        }
    }
}

/// The token behind a step: a member, its members and elements.
fn step_end(tokens: &[Token<'_>], mut at: usize) -> usize {
    if !tokens.get(at).is_some_and(|t| is_name(t.1)) {
        return at;
    }
    at += 1;
    loop {
        match tokens.get(at).map(|t| t.1) {
            Some(".") if tokens.get(at + 1).is_some_and(|t| is_name(t.1)) => at += 2,
            Some("[") => match tokens[at..].iter().position(|t| t.1 == "]") {
                Some(distance) => at += distance + 1,
                None => return at,
            },
            _ => return at,
        }
    }
}

/// The members that a step names: `a` and `b` of `a[i].b`.
fn members(step: &str) -> Vec<&str> {
    let mut depth = 0usize;
    let tokens = tokens(step);
    let outside = tokens.into_iter().filter(|&(_, token)| {
        match token {
            "[" => depth += 1,
            "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && is_name(token)
    });
    outside.map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        accesses(line).into_iter().map(|a| [&[a.base], &a.steps[..]].concat().join("->")).collect()
    }

    #[test]
    fn arrows_and_macros_are_found() {
        for (line, expected) in [
            ("\tppid = task->real_parent->tgid;", &["task->real_parent->tgid"][..]),
            ("x = BPF_CORE_READ(task, mm, arg_start);", &["task->mm->arg_start"]),
            ("BPF_CORE_READ_INTO(&e->uid, task, cred, uid.val);", &["task->cred->uid.val", "e->uid"]),
            ("f(BPF_CORE_READ((struct sock *)ctx, sk_family))", &["((struct sock *)ctx)->sk_family"]),
            ("if (!p || get(a, b)->x[i + 1].y == 3)", &["get(a, b)->x[i + 1].y"]),
            ("event->fname = (const char*)ctx->args[1];", &["event->fname", "ctx->args[1]"]),
            ("((struct foo *)p)->bar = m.q->z;", &["((struct foo *)p)->bar", "m.q->z"]),
            ("v = BPF_CORE_READ(a, b,", &["a->b"]),
            ("printf(\"a->b %d\", 1);", &[]),
            ("->", &[]),
            ("(((->x", &[]),
            ("a->", &[]),
            ("é = ü->x", &[]),
        ] {
            assert_eq!(found(line), expected, "{line}");
        }
    }

    #[test]
    fn the_likeliest_access_is_taken() {
        let line = "event->pid = BPF_CORE_READ(task, pid); x = y->pid;";
        let found = |line, others: &[&str]| from_source(&["pid"], line, others);
        assert_eq!(found(line, &[]).unwrap(), "task->pid");
        assert_eq!(found("event->pid = task->pid;", &[]).unwrap(), "task->pid");
        assert_eq!(found("if (event->pid == 1)", &[]).unwrap(), "event->pid");
        assert_eq!(found("{", &["a->pid", line]).unwrap(), "task->pid", "of other lines only a macro");
        assert_eq!(found("{", &["a->pid"]), None);
        assert_eq!(from_source(&[], "a->b", &[]), None);
    }

    #[test]
    fn members_of_a_step() {
        assert_eq!(members("a[i.j].b"), ["a", "b"]);
        assert_eq!(members("__sk_common.skc_dport"), ["__sk_common", "skc_dport"]);
    }
}
