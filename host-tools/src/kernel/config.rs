//! A kernel's `.config`, as Kconfig writes it.
//!
//! The grammar of a line: `CONFIG_NAME=y|m|n`, a decimal or hexadecimal number, or `"text"`; `# CONFIG_NAME is not set`; any
//! other line that begins with `#`; or nothing. Text keeps the backslashes that Kconfig puts before `"` and `\`, because
//! libbpf hands them to `.kconfig` externs as they are (`set_kcfg_value_str`, libbpf `src/libbpf.c`).

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{char, digit1, hex_digit1, one_of};
use nom::combinator::{all_consuming, map, map_opt, not, opt, recognize, rest, value};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::decompress::{self, Format};
use crate::input::read_file;

/// No configuration is larger, in bytes.
const MAX_CONFIG: usize = 16 << 20;

/// What an option is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `y`: built in.
    Yes,
    /// `m`: a module.
    Module,
    /// `n`, or the comment that says it is not set.
    No,
    /// A number from -2^63 to 2^64-1.
    Number(i128),
    /// The text between the quotes, escapes kept.
    Text(String),
}

/// The options by their full name, `CONFIG_` and all, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    options: BTreeMap<String, Value>,
}

impl Config {
    /// Reads a file, which may be compressed as `/proc/config.gz` is.
    ///
    /// # Errors
    /// With the path, and the line for a line that is none of a `.config`.
    pub fn read(path: &Path) -> Result<Config> {
        let shown = path.display();
        let mut bytes = read_file(path, MAX_CONFIG as u64)?;
        if let Some(format) = Format::detect(&bytes) {
            bytes = decompress::decompress(format, &bytes, MAX_CONFIG, &mut |_| {})
                .with_context(|| shown.to_string())?;
        }
        let text = std::str::from_utf8(&bytes)
            .with_context(|| format!("{shown}: not text, so not a kernel configuration"))?;
        Config::parse(text).with_context(|| shown.to_string())
    }

    /// Reads the text of a configuration. An option that is set twice has its last value, as with Kconfig.
    ///
    /// # Errors
    /// The number and text of the first line that does not follow the grammar.
    pub fn parse(text: &str) -> Result<Config> {
        let mut options = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            match all_consuming(self::line).parse(line.trim_end()) {
                Ok((_, Some((name, value)))) => {
                    options.insert(name.to_owned(), value);
                }
                Ok((_, None)) => {}
                Err(_) => bail!(
                    "line {number}: `{}` is neither CONFIG_NAME=y, m, n, a number or \"text\", nor a comment",
                    line.chars().take(80).collect::<String>().escape_debug()
                ),
            }
        }
        Ok(Config { options })
    }

    /// The value of `name`, with its `CONFIG_`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.options.get(name)
    }

    /// All of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.options.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.options.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.options.is_empty()
    }
}

type Setting<'a> = (&'a str, Value);

fn line(text: &str) -> IResult<&str, Option<Setting<'_>>> {
    alt((
        map(unset, Some),
        value(None, (char('#'), rest)),
        map(setting, Some),
        value(None, all_consuming(tag(""))),
    ))
    .parse(text)
}

fn unset(text: &str) -> IResult<&str, Setting<'_>> {
    map(delimited(tag("# "), name, tag(" is not set")), |name| (name, Value::No)).parse(text)
}

fn setting(text: &str) -> IResult<&str, Setting<'_>> {
    (terminated(name, char('=')), alt((tristate, number, quoted))).parse(text)
}

fn name(text: &str) -> IResult<&str, &str> {
    recognize((tag("CONFIG_"), take_while1(|c: char| c.is_ascii_alphanumeric() || c == '_'))).parse(text)
}

fn tristate(text: &str) -> IResult<&str, Value> {
    map(terminated(one_of("ymn"), not(take_while1(|_| true))), |c| match c {
        'y' => Value::Yes,
        'm' => Value::Module,
        _ => Value::No,
    })
    .parse(text)
}

fn number(text: &str) -> IResult<&str, Value> {
    let hex = preceded(alt((tag("0x"), tag("0X"))), map_opt(hex_digit1, |d| u64::from_str_radix(d, 16).ok()));
    let decimal = map_opt(digit1, |d: &str| d.parse::<u64>().ok());
    map_opt((opt(char('-')), alt((hex, decimal))), |(minus, magnitude)| {
        let magnitude = i128::from(magnitude);
        let number = if minus.is_some() { -magnitude } else { magnitude };
        (number >= i128::from(i64::MIN)).then_some(Value::Number(number))
    })
    .parse(text)
}

/// To the last quote of the line, which must end it.
fn quoted(text: &str) -> IResult<&str, Value> {
    let inside = map_opt(take_while(|_| true), |rest: &str| rest.strip_suffix('"'));
    map(preceded(char('"'), inside), |text: &str| Value::Text(text.to_owned())).parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_read() {
        let text = "#\n# Automatically generated file\n\n# CONFIG_BPF_JIT is not set\nCONFIG_BPF=y\nCONFIG_9P_FS=m\n\
                    CONFIG_HZ=250\nCONFIG_BASE=0xffffffff80000000\nCONFIG_LOW=-5\nCONFIG_CC=\"gcc \\\"14\\\" # x\"\nCONFIG_E=\"\"\r\n";
        let config = Config::parse(text).unwrap();
        let expect = [
            ("CONFIG_9P_FS", Value::Module),
            ("CONFIG_BASE", Value::Number(0xffff_ffff_8000_0000)),
            ("CONFIG_BPF", Value::Yes),
            ("CONFIG_BPF_JIT", Value::No),
            ("CONFIG_CC", Value::Text("gcc \\\"14\\\" # x".into())),
            ("CONFIG_E", Value::Text(String::new())),
            ("CONFIG_HZ", Value::Number(250)),
            ("CONFIG_LOW", Value::Number(-5)),
        ];
        assert!(config.iter().eq(expect.iter().map(|(name, value)| (*name, value))));
    }

    #[test]
    fn a_bad_line_is_named() {
        for bad in [
            "CONFIG_X=yes",
            "CONFIG_X",
            "CONFIG_X=\"open",
            "X=y",
            "CONFIG_X=0x",
            "CONFIG_X=99999999999999999999",
        ] {
            let error = Config::parse(&format!("CONFIG_A=y\n{bad}\n")).unwrap_err().to_string();
            assert!(error.starts_with("line 2: "), "{bad}: {error}");
        }
    }
}
