#!/bin/sh
# Makes the programs that are probed, and the object that probes them: needs clang-19, llvm-strip-19, libbpf-dev, and the rust-lld
# that comes with Rust. They are committed, since what they are compiled with must not decide what the tests see.
set -eu
cd "$(dirname "$0")"
lld="$(rustc --print sysroot)/lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"
for target in x86_64-linux-gnu aarch64-linux-gnu riscv64-linux-gnu armv7a-linux-gnueabihf; do
    arch="${target%%-*}"
    # ARM instructions, not Thumb's, which Linux cannot probe
    case $arch in armv7a) more=-marm ;; riscv64) more='-march=rv64gc -mabi=lp64d -mno-relax' ;; *) more= ;; esac
    clang-19 --target="$target" $more -O2 -Wall -ffreestanding -fno-stack-protector -fomit-frame-pointer \
        -fno-pic -fno-unwind-tables -fno-asynchronous-unwind-tables -ffile-prefix-map="$PWD"=. -c probed.c -o probed.o
    "$lld" -flavor gnu -static -z noseparate-code -z max-page-size=4096 --build-id=none -o "probed-$arch" probed.o
    llvm-strip-19 -g -R .comment "probed-$arch"
    rm probed.o
done
for arch in arm64 riscv arm; do
    clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -D__TARGET_ARCH_$arch -I/usr/include/x86_64-linux-gnu \
        -ffile-prefix-map="$PWD"=. -c uprobe.bpf.c -o "uprobe-$arch.bpf.o"
    llvm-strip-19 -g "uprobe-$arch.bpf.o"
done
