//! Where this machine gets Debian's packages from, out of its own apt configuration.
//!
//! No mirror's name is written in this repository: the machine's administrator chose one. Both forms of
//! sources.list(5) are read, one-line `.list` files and deb822 `.sources` files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Missing;

/// The environment variable that names a mirror where the machine's configuration does not serve.
pub const MIRROR_VARIABLE: &str = "CORELET_MIRROR";

/// Suites that only Debian has; a derivative's mirror must not be taken for Debian's.
const SUITES: [&str; 9] =
    ["bullseye", "bookworm", "trixie", "forky", "duke", "sid", "stable", "testing", "unstable"];

/// A mirror of Debian and the keys that its suites are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mirror {
    pub(super) uri: String,
    pub(super) keyring: PathBuf,
}

/// The mirror of the environment, else the one of the machine's apt configuration.
///
/// # Errors
/// [`Missing`] where there is neither, or no keyring of Debian's archive.
pub(super) fn find() -> Result<Mirror> {
    let configured = configured(Path::new("/etc/apt"));
    let uri = match std::env::var(MIRROR_VARIABLE) {
        Ok(uri) if !uri.is_empty() => uri,
        _ => configured.as_ref().map(|entry| entry.uri.clone()).ok_or_else(|| {
            Missing::new(
                "a mirror of Debian in its apt configuration",
                format!("set {MIRROR_VARIABLE} to the address of one (the folder that holds dists/)"),
            )
        })?,
    };
    // The package's keyring first: it knows the keys of newer suites, which the machine's own suite does not need.
    let of_package =
        ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];
    let keyring = of_package
        .into_iter()
        .map(PathBuf::from)
        .chain(configured.and_then(|entry| entry.signed_by))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Missing::new("the keys of Debian's archive", "apt-get install debian-archive-keyring")
        })?;
    // Both end up in a line of sources.list, where blanks separate.
    Ok(Mirror { uri: uri.trim().trim_end_matches('/').to_owned(), keyring })
}

struct Entry {
    uri: String,
    signed_by: Option<PathBuf>,
}

fn configured(folder: &Path) -> Option<Entry> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.join("sources.list.d"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    files.sort();
    files.insert(0, folder.join("sources.list"));
    files.iter().find_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        match path.extension()?.to_str()? {
            "list" => text.lines().find_map(one_line),
            "sources" => text.split("\n\n").find_map(deb822),
            _ => None,
        }
    })
}

/// `deb [signed-by=KEYRING arch=A] URI SUITE COMPONENT…`
fn one_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim().strip_prefix("deb ")?.trim_start();
    let (options, rest) = match line.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => ("", line),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    if !serves(uri, suite, &mut words) {
        return None;
    }
    let signed_by = options.split_whitespace().find_map(|option| option.strip_prefix("signed-by="));
    Some(Entry { uri: uri.to_owned(), signed_by: signed_by.map(PathBuf::from) })
}

/// A stanza of `Field: words`, where a line that begins with a blank goes on with the field before.
fn deb822(stanza: &str) -> Option<Entry> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in stanza.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with([' ', '\t']) {
            fields.last_mut()?.1.push_str(line);
        } else if let Some((field, value)) = line.split_once(':') {
            fields.push((field.trim().to_ascii_lowercase(), value.to_owned()));
        }
    }
    let words = |name: &str| -> Vec<&str> {
        fields
            .iter()
            .filter(|(field, _)| field == name)
            .flat_map(|(_, value)| value.split_whitespace())
            .collect()
    };
    if !words("types").contains(&"deb") || words("enabled") == ["no"] {
        return None;
    }
    let suites = words("suites");
    let uri = words("uris")
        .into_iter()
        .find(|uri| suites.iter().any(|suite| serves(uri, suite, &mut words("components").into_iter())))?;
    // A key may also stand in the stanza itself: that is no file, and the package's keyring serves then.
    let signed_by = words("signed-by").first().filter(|word| word.starts_with('/')).map(PathBuf::from);
    Some(Entry { uri: uri.to_owned(), signed_by })
}

fn serves<'w>(uri: &str, suite: &str, components: &mut impl Iterator<Item = &'w str>) -> bool {
    let base = suite.split_once('-').map_or(suite, |(base, _)| base);
    !uri.starts_with("cdrom:")
        && !suite.ends_with("-security")
        && SUITES.contains(&base)
        && components.any(|component| component == "main")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_line_source() {
        let entry = one_line(
            "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian trixie main contrib # ours",
        )
        .unwrap();
        assert_eq!(
            (entry.uri.as_str(), entry.signed_by),
            ("http://mirror.example/debian", Some("/k.gpg".into()))
        );
        for other in [
            "# deb http://mirror.example/debian trixie main",
            "deb-src http://mirror.example/debian trixie main",
            "deb http://mirror.example/debian-security trixie-security main",
            "deb http://mirror.example/other noble main",
            "deb cdrom:[disc]/ trixie main",
            "deb http://mirror.example/debian trixie",
        ] {
            assert!(one_line(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_deb822_source() {
        let text = "Types: deb\n# a comment\nURIs: http://mirror.example/debian\nSuites: trixie\n trixie-updates\n\
                    Components: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n";
        let entry = deb822(text).unwrap();
        assert_eq!((entry.uri.as_str(), entry.signed_by), ("http://mirror.example/debian", None));
        assert!(deb822(&format!("{text}Enabled: no\n")).is_none());
        assert!(deb822(&text.replace("Suites: trixie\n trixie-updates", "Suites: nodistro")).is_none());
    }
}
