//! ext4sync, a tool of these tests' own: what fsync finds in structs of ext4, which is built into one board's kernel and a
//! module of the other's. What they must hold is read from the disk itself, by shell.

use super::output::{Output, same};
use super::{Case, Checked};
use serde_json::json;

/// The object; `progs/ext4sync.bpf.c` is its source.
pub const OBJECT: &[u8] = include_bytes!("progs/ext4sync.bpf.o");
/// Its manifest, which names the module.
pub const MANIFEST: &str = include_str!("progs/ext4sync.toml");

const CASE: Case = Case {
    tool: "ext4sync",
    name: "ext4sync",
    sets: &[],
    // two groups of blocks, so that there are more inodes than in one group
    prepare: r#"
        truncate -s 9M disk
        losetup /dev/loop1 disk
        mke2fs -F -b 1024 -I 256 -L corelet /dev/loop1 >/dev/null
        mkdir mnt
        mount -t ext4 -o nodelalloc /dev/loop1 mnt
        number() {
            od -A n -j $((1024 + $1)) -N $2 -t u$2 /dev/loop1 | tr -d ' '
        }
        echo inodes=$(number 0 4)
        echo per_group=$(number 40 4)
        echo inode_size=$(number 88 2)
    "#,
    work: r#"
        sh -c 'echo pid=$$; exec /bin/dd if=/dev/zero of=mnt/file bs=4321 count=1 conv=fsync'
        echo size=$(stat -c %s mnt/file)
        echo modules=$(ls /sys/kernel/btf | grep -c -v vmlinux)
    "#,
    clean: "umount mnt; losetup -d /dev/loop1",
    check,
};

/// With any pack.
pub const CASES: &[Case] = &[CASE];

/// With a pack for this kernel and this very module: before all else the module is not there, which must be refused.
pub const UNLOADED: &[Case] = &[Case {
    name: "ext4sync_unloaded",
    prepare: r#"
        rmmod ext4
        /corelet/corelet-loader verify "$pack" 2>said
        echo refused=$?
        echo named=$(grep -c 'module ext4: needs build id [0-9a-f]*, has none: modprobe ext4' said)
        insmod /lib/modules/ext4.ko
    "#,
    work: "",
    clean: "",
    check: |output| match (output.fact("refused")?, output.fact("named")?) {
        (4, 1) => Ok(()),
        other => Err(format!("without the module: exit code and lines that name it {other:?}, not (4, 1)")),
    },
    ..CASE
}];

/// With a pack for another build of the module: the running kernel's own types serve, and those of the modules that are
/// loaded, of which each is looked into.
pub const OWN_TYPES: &[Case] = &[Case {
    name: "ext4sync_own_types",
    check: |output| {
        let modules = format!("{} modules looked into", output.fact("modules")?);
        for words in [
            "module ext4: needs build id 1111111111111111111111111111111111111111, has ",
            "relocating with its own types",
            &modules,
        ] {
            if !output.errors.iter().any(|line| line.contains(words)) {
                return Err(format!("does not say {words:?}: {}", output.errors.join(" / ")));
            }
        }
        check(output)
    },
    ..CASE
}];

fn check(output: &Output) -> Checked {
    let pid = output.fact("pid")?;
    let size = output.fact("size")?;
    if size != 4321 {
        return Err(format!("the file has {size} bytes, not 4321"));
    }
    let want = json!({"pid": pid, "inode_size": output.fact("inode_size")?, "size": size, "disk_size": size,
        "inodes_per_group": output.fact("per_group")?, "inodes_count": output.fact("inodes")?, "volume": "corelet", "comm": "dd"});
    same(output.one("pid", pid)?, &want)
}
