//! The manifests that come with this crate: one for each of BCC's libbpf-tools as Debian ships them.

/// Pairs of a tool's name and its manifest's text.
macro_rules! manifests {
    ($($tool:literal),* $(,)?) => {
        &[$(($tool, include_str!(concat!("../../manifests/", $tool, ".toml")))),*]
    };
}

/// Tools with a manifest of their own here, sorted.
#[rustfmt::skip]
pub const BUILTIN: &[(&str, &str)] = manifests![
    "bashreadline", "bindsnoop", "biolatency", "biopattern", "biosnoop", "biostacks", "biotop", "bitesize",
    "cachestat", "capable", "cpudist", "cpufreq", "drsnoop", "execsnoop", "exitsnoop", "filelife",
    "filetop", "fsdist", "fsslower", "funclatency", "futexctn", "gethostlatency", "hardirqs", "javagc",
    "klockstat", "ksnoop", "llcstat", "mdflush", "memleak", "mountsnoop", "numamove", "offcputime",
    "oomkill", "opensnoop", "profile", "readahead", "runqlat", "runqlen", "runqslower", "sigsnoop",
    "slabratetop", "softirqs", "solisten", "statsnoop", "syncsnoop", "syscount", "tcpconnect", "tcpconnlat",
    "tcplife", "tcppktlat", "tcprtt", "tcpstates", "tcpsynbl", "tcptop", "tcptracer", "vfsstat",
    "wakeuptime",
];

/// Other names under which a tool is installed, where they mean what its manifest does.
pub(super) const ALIASES: &[(&str, &str)] = &[("ext4dist", "fsdist"), ("ext4slower", "fsslower")];
