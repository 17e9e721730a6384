//! A kernel's `.config`, as Kconfig writes it, out of a file of its own or whatever holds one.
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
use super::files;
use super::image::{Kernel, MAX_FILE};
use crate::input::read_file;

/// No configuration is larger, in bytes.
pub(super) const MAX_CONFIG: usize = 16 << 20;

/// The choices of a page's size, in KiB, before they had one name (`arch/*/Kconfig`).
const PAGE_CHOICES: [(&str, u32); 13] = [
    ("CONFIG_PAGE_SIZE_4KB", 4),
    ("CONFIG_PAGE_SIZE_8KB", 8),
    ("CONFIG_PAGE_SIZE_16KB", 16),
    ("CONFIG_PAGE_SIZE_32KB", 32),
    ("CONFIG_PAGE_SIZE_64KB", 64),
    ("CONFIG_PAGE_SIZE_256KB", 256),
    ("CONFIG_ARM64_4K_PAGES", 4),
    ("CONFIG_ARM64_16K_PAGES", 16),
    ("CONFIG_ARM64_64K_PAGES", 64),
    ("CONFIG_PPC_4K_PAGES", 4),
    ("CONFIG_PPC_16K_PAGES", 16),
    ("CONFIG_PPC_64K_PAGES", 64),
    ("CONFIG_PPC_256K_PAGES", 256),
];

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
    /// Reads a file: a `.config`, compressed or not as `/proc/config.gz` is; a kernel's image, its vmlinux or its module
    /// `configs.ko`, which hold one with `CONFIG_IKCONFIG`; or the package that has it beside the kernel.
    ///
    /// # Errors
    /// With the path: the line for a line that is none of a `.config`; a kernel without a configuration.
    pub fn read(path: &Path) -> Result<Config> {
        if path.is_dir() {
            return Config::of_kernel(&Kernel::open(path, &mut |_, _| {})?)
                .with_context(|| path.display().to_string());
        }
        Config::of_bytes(read_file(path, MAX_FILE)?).with_context(|| path.display().to_string())
    }

    fn of_bytes(mut bytes: Vec<u8>) -> Result<Config> {
        if let Some(holder) = files::detect(&bytes) {
            let found = holder.read(&bytes, decompress::MAX_OUTPUT).context(holder.name())?;
            if let Some((path, text)) = found.config {
                return Config::parse(&text).context(path);
            }
        } else if let Some(format) = Format::detect(&bytes) {
            match decompress::decompress(format, &bytes, MAX_CONFIG, &mut |_| {}) {
                Ok(plain) if is_text(&plain) => bytes = plain,
                // larger than a configuration, or damaged: the kernel's reader says which
                _ => {}
            }
        }
        if is_text(&bytes) {
            let text = std::str::from_utf8(&bytes).context("not text, so not a kernel configuration")?;
            return Config::parse(text);
        }
        let kernel = Kernel::parse(bytes, decompress::MAX_OUTPUT, &mut |_, _| {})
            .context("not text, so no .config, and it holds none either")?;
        Config::of_kernel(&kernel)
    }

    fn of_kernel(kernel: &Kernel) -> Result<Config> {
        kernel.config()?.context(
            "a kernel without its configuration (CONFIG_IKCONFIG is off): give the config file of its package, or \
             kernel/configs.ko where it is a module",
        )
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

    /// Whether `name` is built in, a module, or has a value.
    pub fn is_set(&self, name: &str) -> bool {
        !matches!(self.get(name), None | Some(Value::No))
    }

    /// Bytes of a page, where an option says so: `CONFIG_PAGE_SHIFT` (6.9), or the choice of an architecture.
    pub fn page_size(&self) -> Option<u32> {
        if let Some(Value::Number(shift)) = self.get("CONFIG_PAGE_SHIFT") {
            return u32::try_from(*shift).ok().and_then(|shift| 1u32.checked_shl(shift));
        }
        let chosen = PAGE_CHOICES.iter().find(|(name, _)| self.is_set(name));
        chosen.map(|(_, kib)| kib * 1024)
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

/// A configuration has no NUL and begins with a printable character; of what is empty it is one without options.
fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && bytes.first().is_none_or(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
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
