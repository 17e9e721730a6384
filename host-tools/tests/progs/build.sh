#!/bin/sh
# Compiles the objects of this folder anew: needs clang-19, llvm-strip-19 and libbpf-dev. The objects are committed, since
# the tests must not need a compiler; run this only to change them.
set -eu
cd "$(dirname "$0")"
for source in kernel sample.bpf unportable.bpf dropped.kernel dropped.bpf externs.bpf helpers.bpf narrow.kernel narrow.bpf absent.kernel absent.bpf; do
    clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c "$source.c" -o "$source.o"
    llvm-strip-19 -g "$source.o"
done

# a root file system with a kernel in it: needs e2fsprogs, squashfs-tools
root=$(mktemp -d)
mkdir -p "$root/boot" "$root/usr/lib/modules/6.1.0-test"
cp kernel.o "$root/boot/vmlinux-6.1.0-test"
ln -s usr/lib "$root/lib"
ln -s vmlinux-6.1.0-test "$root/boot/vmlinux"
printf 'CONFIG_BPF_SYSCALL=y\n# CONFIG_BPF_EVENTS is not set\n' >"$root/boot/config-6.1.0-test"
find "$root" -exec touch -h -d @0 {} +
rm -f rootfs.ext4 rootfs.ext4.gz
E2FSPROGS_FAKE_TIME=1 mke2fs -q -t ext4 -O ^has_journal -m 0 -N 64 -U 00000000-0000-0000-0000-000000000001 \
    -E hash_seed=00000000-0000-0000-0000-000000000001,root_owner=0:0 -d "$root" rootfs.ext4 256k
gzip -9 -n rootfs.ext4
for packing in gzip xz zstd lz4; do
    rm -f "rootfs-$packing.squashfs"
    mksquashfs "$root" "rootfs-$packing.squashfs" -quiet -no-progress -comp "$packing" -all-root -mkfs-time 0 -nopad -b 4096
done
rm -r "$root"
