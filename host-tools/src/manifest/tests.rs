//! The manifests that come with the crate, and what errors say.

use super::*;

fn builtin(tool: &str) -> Manifest {
    Manifest::parse(tool, Manifest::builtin(tool).unwrap()).unwrap()
}

fn refused(text: &str, why: &str) {
    let said = format!("{:#}", Manifest::parse("x.toml", text).unwrap_err());
    assert!(said.contains(why), "{text}\n{said}\ninstead of\n{why}");
}

#[test]
fn builtin_manifests_are_well_formed() {
    assert!(BUILTIN.is_sorted());
    assert_eq!(BUILTIN.len(), 57, "Debian's libbpf-tools 0.31 are 57 objects");
    for (tool, text) in BUILTIN {
        let manifest = Manifest::parse(tool, text).unwrap();
        assert!(manifest.spdx.is_some() && manifest.description.is_some(), "{tool}");
        let events = manifest.maps.values().filter(|m| m.event.is_some()).count();
        assert!(events + manifest.results.len() > 0, "{tool} prints nothing");
    }
}

#[test]
fn builtin_goes_by_the_names_objects_have() {
    for name in ["opensnoop", "opensnoop.bpf.o", "opensnoop-libbpf", "opensnoop-libbpf.bpf.o", "opensnoop.o"]
    {
        assert!(Manifest::builtin(name).is_some(), "{name}");
    }
    assert_eq!(Manifest::builtin("ext4slower-libbpf.bpf.o"), Manifest::builtin("fsslower"));
    assert_eq!(Manifest::builtin("opensnoop2"), None);
    assert_eq!(Manifest::builtin(""), None);
}

/// The sizes that the programs of versions 0.31 and 0.35 pass to `bpf_perf_event_output` or `bpf_ringbuf_reserve`, from their
/// instructions.
#[test]
fn declared_events_have_the_size_that_the_programs_write() {
    let sizes: &[(&str, &[u32])] = &[
        ("bashreadline", &[84]),
        ("bindsnoop", &[64]),
        ("biosnoop", &[64]),
        ("drsnoop", &[48]),
        ("exitsnoop", &[56]),
        ("fsslower", &[88]),
        ("mdflush", &[52]),
        ("mountsnoop", &[8768, 8768]),
        ("oomkill", &[48]),
        ("opensnoop", &[312, 320]),
        ("runqslower", &[48]),
        ("solisten", &[52]),
        ("statsnoop", &[288, 304]),
        ("syncsnoop", &[32]),
        ("tcpconnect", &[72]),
        ("tcpconnlat", &[80]),
        ("tcplife", &[96]),
        ("tcppktlat", &[72]),
        ("tcpstates", &[96]),
        ("tcptracer", &[80]),
    ];
    let mut declared = BTreeMap::new();
    for (tool, _) in BUILTIN {
        for map in builtin(tool).maps.into_values() {
            if let Some(EventType::Declared(versions)) = map.event {
                declared.insert(*tool, versions.iter().map(|v| v.decl.size).collect::<Vec<_>>());
            }
        }
    }
    let expected: BTreeMap<&str, Vec<u32>> = sizes.iter().map(|&(tool, of)| (tool, of.to_vec())).collect();
    assert_eq!(declared, expected);
}

#[test]
fn everything_there_is_to_say() {
    let manifest = Manifest::parse(
        "x.toml",
        r#"
        [object]
        spdx = "MIT"
        modules = ["nf_conntrack", "nf-tables"]
        varying = ["st", "on"]
        [maps.rb]
        event = "struct sample"
        max_entries = 4096
        [maps.st]
        value_size = 1016
        [maps.pb]
        event_decl = "struct event { int af; __u8 addr[16]; };"
        perf_pages = 4
        [[alternatives]]
        sets = [["a", "b"], ["c"]]
        [programs.d]
        optional = true
        [programs.e]
        disabled = true
        [programs.f]
        attach = "uretprobe//bin/bash:readline"
        [programs.g]
        attach = ["kprobe/vfs_read", "kprobe/vfs_write"]
        optional = true
        [programs.h]
        perf = { type = "hw-cache", config = "ll-read-miss", period = 10000 }
        [variables]
        on = true
        low = -1
        [[results]]
        name = "r"
        map = "m"
        how = "log2"
        slots = "s"
        [[results]]
        name = "c"
        variable = "v"
        how = "counters"
        labels = "enum kinds"
        [hints."struct event"]
        af = "hide"
        addr = { ip = "af" }
        "#,
    )
    .unwrap();
    assert_eq!(manifest.modules, ["nf_conntrack", "nf_tables"]);
    assert_eq!(manifest.maps["rb"].event, Some(EventType::Btf("sample".into())));
    assert_eq!(manifest.maps["rb"].max_entries, Some(4096));
    assert_eq!(manifest.maps["st"].value_size, Some(1016));
    assert_eq!(manifest.varying, BTreeSet::from(["on".to_owned(), "st".to_owned()]));
    assert_eq!(manifest.maps["pb"].perf_pages, Some(4));
    assert_eq!(manifest.alternatives[0].sets, [vec!["a", "b"], vec!["c"]]);
    let presence = |name| manifest.programs[name].presence;
    assert_eq!(
        (presence("d"), presence("e"), presence("f")),
        (Presence::Optional, Presence::Disabled, Presence::Needed)
    );
    assert_eq!(manifest.programs["d"], Presence::Optional.into());
    assert_eq!(manifest.programs["f"].attach, ["uretprobe//bin/bash:readline"]);
    assert_eq!(manifest.programs["g"].attach, ["kprobe/vfs_read", "kprobe/vfs_write"]);
    assert_eq!(presence("g"), Presence::Optional);
    let misses = PerfEvent { kind: 3, config: 2 | 1 << 16, sample: 10_000, freq: false };
    assert_eq!(manifest.programs["h"].perf, Some(misses));
    assert_eq!((manifest.variables["on"], manifest.variables["low"]), (Value::Bool(true), Value::Int(-1)));
    assert_eq!(
        manifest.results[0].how,
        ResultHow::Hist { slots: Some("s".into()), linear: None, labels: Labels::Numbers }
    );
    assert_eq!(manifest.results[1].from, ResultFrom::Variable("v".into()));
    assert_eq!(manifest.results[1].how, ResultHow::Counters(Labels::Named(Names::Enum("enum kinds".into()))));
    assert_eq!(manifest.hints["struct event"]["addr"], Hint::Ip("af".into()));
    let empty = Manifest { file: "x.toml".to_owned(), ..Manifest::default() };
    assert_eq!(Manifest::parse("x.toml", "").unwrap(), empty);
}

#[test]
fn counters_have_the_names_of_the_kernels_header() {
    let perf = |text: &str| {
        let text = format!("[programs.p]\nperf = {{ {text}, freq = 99 }}\n");
        let perf = Manifest::parse("x.toml", &text).unwrap().programs["p"].perf.unwrap();
        assert!(perf.freq && perf.sample == 99);
        (perf.kind, perf.config)
    };
    assert_eq!(perf("type = \"software\", config = \"cpu-clock\""), (1, 0));
    assert_eq!(perf("type = \"software\", config = \"cgroup-switches\""), (1, 11));
    assert_eq!(perf("type = \"hardware\", config = \"cache-misses\""), (0, 3));
    assert_eq!(perf("type = \"hardware\", config = \"ref-cpu-cycles\""), (0, 9));
    assert_eq!(perf("type = \"hw-cache\", config = \"l1d-prefetch-access\""), (3, 2 << 8));
    assert_eq!(perf("type = \"raw\", config = 0x1b"), (4, 0x1b));
    let bad = |perf: &str, why| refused(&format!("[programs.p]\nperf = {{ {perf} }}\n"), why);
    bad(
        "type = \"soft\", config = 0, freq = 1",
        "x.toml:2: `perf = { type = \"soft\", config = 0, freq = 1 }`: `type` is one of \"hardware\"",
    );
    bad(
        "type = \"software\", config = \"cycles\", freq = 1",
        "`cycles`: `config` is one of cpu-clock, task-clock",
    );
    bad(
        "type = \"hw-cache\", config = \"ll-read\", freq = 1",
        "`ll-read`: `config` is CACHE-OPERATION-RESULT",
    );
    bad("type = \"raw\", config = \"x\", freq = 1", "of a raw event is a number");
    bad("type = \"software\", config = 0", "give `freq`, samples a second, or `period`");
    bad("type = \"software\", config = 0, freq = 1, period = 1", "give `freq`");
    bad("type = \"software\", config = 0, freq = 0", "no samples");
    bad("type = \"software\", config = true, freq = 1", "expected a counter's name");
}

#[test]
fn errors_name_the_line_the_key_and_what_is_allowed() {
    refused(
        "[object]\nspdx = \"MIT\"\nlicence = \"MIT\"\n",
        "x.toml:3: `licence = \"MIT\"`: unknown field `licence`",
    );
    refused("[object]\nlicence = 1\n", "expected one of `spdx`, `description`, `modules`");
    refused(
        "[object]\narch = \"mips\"\n",
        "x.toml:2: `arch = \"mips\"`: an architecture is x86_64, aarch64, arm or riscv64",
    );
    refused("[object]\nmodules = [\"a\", 1]\n", "x.toml:2: `modules = [\"a\", 1]`: invalid type");
    refused("[mapps.x]\n", "x.toml:1: `[mapps.x]`: unknown field `mapps`, expected one of `object`, `maps`");
    refused("[maps.m]\nmax_entries = -1\n", "x.toml:2: `max_entries = -1`: ");
    refused(
        "[maps.m]\nperf_pages = 3\n",
        "x.toml:2: `perf_pages = 3`: `perf_pages` is a power of two up to 4096",
    );
    refused("[maps.m]\nperf_pages = 0\n", "`perf_pages` is a power of two");
    refused("[maps.m]\nevent = \"event\"\n", "`event`: expected `struct NAME`");
    refused("[maps.m]\nevent = \"struct e\"\nevent_decl = \"struct e { int a; };\"\n", "give one of them");
    refused(
        "[maps.m]\nevent_decl = [\"struct e { int a; };\", \"struct e { int b; };\"]\n",
        "have the same size",
    );
    refused("[maps.m]\nevent_decl = []\n", "an empty list");
    let same = r#"{ program = "p", decl = "struct e { int b; };" }"#;
    refused(&format!("[maps.m]\nevent_decl = [{same}, {same}]\n"), "have the same size");
    refused("\n[maps.m]\nevent_decl = \"struct e { int a : 1; };\"\n", "x.toml:3: ");
    refused("[maps.m]\nevent_decl = \"struct e { int a : 1; };\"\n", "bit-fields are not taken");
    refused("[[alternatives]]\nsets = [[\"a\"]]\n", "two or more lists");
    refused("[[alternatives]]\nsets = [[\"a\"], [\"a\"]]\n", "`a` is in two sets");
    refused("[[alternatives]]\nsets = [[\"a\"], []]\n", "a set without programs");
    refused("[programs.p]\noptional = true\ndisabled = true\n", "not both");
    refused(
        "[programs.a]\ndisabled = true\n[[alternatives]]\nsets = [[\"a\"], [\"b\"]]\n",
        "leave it out of its set",
    );
    refused("[programs.p]\nattach = []\n", "x.toml:2: `attach = []`: an empty list");
    refused("[programs.p]\nattach = \"kprobes/f\"\n", "SEC(\"kprobes/f\"): no kind of program");
    refused("[programs.p]\nattach = \"kprobe/f+\"\n", "what the program is attached to cannot be read");
    refused("[programs.p]\nattach = [\"kprobe/f\", \"kprobe/f\"]\n", "`kprobe/f` is named twice");
    refused(
        "[programs.p]\nattach = \"kprobe/f\"\nperf = { type = \"software\", config = 0, freq = 1 }\n",
        "x.toml:3: `perf = { type = \"software\", config = 0, freq = 1 }`: `attach` names",
    );
    refused(
        "[object]\nvarying = [\"x\"]\n[maps.y]\n",
        "x.toml:2: `varying = [\"x\"]`: `x`: the manifest says nothing else of it",
    );
    refused(
        "[variables]\nx = 1.5\n",
        "x.toml:2: `x = 1.5`: a variable's value is a number, `true` or `false`",
    );
    refused("[[results]]\nname = \"r\"\nhow = \"entries\"\n", "give one of them");
    refused(
        "[[results]]\nname = \"r\"\nmap = \"m\"\nhow = \"log10\"\n",
        "expected one of `entries`, `log2`, `linear`, `counters`",
    );
    let result = |rest: &str, why: &str| {
        refused(&format!("[[results]]\nname = \"r\"\nmap = \"m\"\nhow = {rest}\n"), why);
    };
    refused(
        "[options]\n\"p id\" = \"targ_pid\"\n",
        "x.toml:2: `\"p id\" = \"targ_pid\"`: an option's name is letters",
    );
    result("\"entries\"\nunit = \"usecs\"", "`unit` is for");
    result("\"log2\"\nslots = \"s\"\nstep = 5", "`base` and `step` are for");
    result("\"linear\"\nslots = \"s\"\nstep = 0", "`step` is 1 or more");
    result("\"linear\"\nslots = \"s\"\nunit = \"CPU usecs\"", "a unit is one word");
    result("\"log2\"\nslots = \"s\"\nunit = { variable = \"ms\", names = [] }", "a name for each value");
    result("\"log2\"\nslots = \"s\"\nsort = \"x\"", "`sort` is for");
    result("\"entries\"\nrows = 5", "`rows` goes with `sort`");
    result("\"entries\"\nkey = { ip = \"af\" }", "no other member beside a number");
    result("\"entries\"\nkey = { names = { A = 1, B = 1 } }", "two names have the same number");
    result("\"entries\"\nkey = { names = \"ops\" }", "expected `enum NAME`");
    result("\"entries\"\nvalue = { decimals = 20 }", "at most 19");
    refused("[[results]]\nname = \"r\"\nmap = \"m\"\nhow = \"entries\"\nslots = \"s\"\n", "`slots` is for");
    refused(
        "[[results]]\nname = \"r\"\nmap = \"m\"\nhow = \"entries\"\nlabels = [\"a\"]\n",
        "`labels` is for",
    );
    refused(
        "[[results]]\nname = \"r\"\nmap = \"m\"\nhow = \"counters\"\nlabels = 3\n",
        "expected a list of names",
    );
    refused(
        "[hints.\"struct e\"]\na = \"hexx\"\n",
        "x.toml:2: `a = \"hexx\"`: unknown variant `hexx`, expected one of `hide`",
    );
    refused("[hints.e]\na = \"hex\"\n", "x.toml:1: `[hints.e]`: `e`: expected `struct NAME` or `union NAME`");
    refused(
        "[maps.m]\nevent_decl = \"struct e { int a; };\"\n[hints.\"struct e\"]\nb = \"hex\"\n",
        "x.toml:3: `[hints.\"struct e\"]`: the declaration of the event has no member `b`",
    );
    refused("[object\n", "x.toml:1: ");
}

#[test]
fn a_map_of_maps_is_told_what_is_in_it() {
    let inner = |text: &str| Manifest::parse("t.toml", &format!("[maps.m]\ninner = {text}\n"));
    let said = inner("{ type = \"hash\", key_size = 4, value_size = 8, max_entries = 128 }").unwrap();
    let said = said.maps["m"].inner.as_ref().unwrap();
    assert_eq!((said.key_size, said.value_size, said.max_entries, said.map_flags), (4, 8, 128, 0));
    refused(
        "[maps.m]\ninner = { type = \"hush\", key_size = 4, value_size = 8, max_entries = 1 }\n",
        "`hush`: no type of map",
    );
}
