#!/bin/sh
# Compiles the objects anew: needs clang-19, llvm-strip-19 and the kernel's headers for user space (linux-libc-dev). They are
# committed, since the tests must not need a compiler.
set -eu
cd "$(dirname "$0")"
for name in kinds places congestion stores redirect; do
    clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -idirafter "/usr/include/$(uname -m)-linux-gnu" -ffile-prefix-map="$PWD"=. \
        -c $name.bpf.c -o $name.bpf.o
    llvm-strip-19 -g $name.bpf.o
done
