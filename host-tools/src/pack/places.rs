//! The places that a manifest names for programs of cgroups, network namespaces, maps of sockets and sockets.

use super::devices;
use anyhow::{Result, bail, ensure};
use corelet_core::object::MapDef;
use corelet_core::object::sec_name::SecName;
use corelet_core::pack::{Attach, Place};

/// `enum bpf_map_type`.
const SOCKMAP: u32 = 15;
const SOCKHASH: u32 = 18;

/// What the SEC() names of a program say, at each of the places; an object's only map of sockets needs no word.
pub(super) fn named<'o>(
    secs: Vec<SecName<'o>>,
    places: &'o [String],
    maps: &[MapDef<'o>],
    section: &str,
) -> Result<Vec<SecName<'o>>> {
    let of_sockets = |m: &&MapDef<'o>| matches!(m.spec.map_type, SOCKMAP | SOCKHASH);
    let mut all = Vec::new();
    for sec in secs {
        if matches!(sec.attach, Attach::Device { .. }) && !places.is_empty() {
            all.extend(devices::places(&sec, places)?);
            continue;
        }
        let Attach::Place { kind, hook, .. } = sec.attach else {
            ensure!(
                places.is_empty(),
                "the manifest's `place` is for programs of cgroups, network namespaces, sockets, network devices and netfilter, this is SEC(\"{section}\")"
            );
            all.push(sec);
            continue;
        };
        let at = |path| SecName { attach: Attach::Place { kind, path, hook }, ..sec };
        if kind == Place::SockMap {
            let known: Vec<&str> = maps.iter().filter(of_sockets).map(|m| m.name).collect();
            match (places, &known[..]) {
                ([], [only]) => all.push(at(only)),
                ([], _) => bail!(
                    "SEC(\"{section}\") is attached to a map of sockets, and the object has {}: name one in the manifest, `place = \
                     \"MAP\"`",
                    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
                ),
                _ => {}
            }
            let unknown = places.iter().find(|place| !known.contains(&place.as_str()));
            ensure!(
                unknown.is_none(),
                "the manifest's place `{}` is no map of sockets of the object (it has {})",
                unknown.map_or("", String::as_str),
                known.join(", ")
            );
        } else if places.is_empty() {
            all.push(sec);
        }
        all.extend(places.iter().map(|place| at(place)));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use corelet_core::TypeId;
    use corelet_core::object::{MapSpec, sec_name};

    fn map(name: &'static str, map_type: u32) -> MapDef<'static> {
        let mut spec = MapSpec::default();
        spec.map_type = map_type;
        MapDef { index: 0, name, ty: TypeId(1), offset: 0, size: 0, spec, inner: None }
    }

    /// The places of a program of this section.
    fn places(section: &str, said: &[&str], maps: &[MapDef<'static>]) -> Result<Vec<String>, String> {
        let said: Vec<String> = said.iter().map(|&s| s.to_owned()).collect();
        let all = named(vec![sec_name::parse(section).unwrap()], &said, maps, section);
        let all = all.map_err(|e| e.to_string())?.into_iter().map(|sec| match sec.attach {
            Attach::Place { path, .. } => path.to_owned(),
            other => format!("{other:?}"),
        });
        Ok(all.collect())
    }

    #[test]
    fn a_program_is_attached_to_each_place() {
        assert_eq!(places("cgroup/skb", &["/a", "/b"], &[]).unwrap(), ["/a", "/b"]);
        assert_eq!(places("cgroup/skb", &[], &[]).unwrap(), [""]);
        let said = places("kprobe/f", &["/a"], &[]).unwrap_err();
        assert!(said.contains("is for programs of cgroups, network namespaces, sockets"), "{said}");
    }

    #[test]
    fn the_only_map_of_sockets_needs_no_word() {
        let (hash, sockets, more) = (map("hash", 1), map("sockets", SOCKHASH), map("more", SOCKMAP));
        assert_eq!(places("sk_msg", &[], &[hash, sockets]).unwrap(), ["sockets"]);
        assert_eq!(places("sk_msg", &["more"], &[sockets, more]).unwrap(), ["more"]);
        let said = |said: &[&str], maps: &[MapDef<'static>]| places("sk_msg", said, maps).unwrap_err();
        assert!(said(&[], &[sockets, more]).contains("the object has sockets, more: name one"));
        assert!(said(&[], &[hash]).contains("the object has none"));
        assert!(
            said(&["hash"], &[hash, sockets])
                .contains("`hash` is no map of sockets of the object (it has sockets)")
        );
    }
}
