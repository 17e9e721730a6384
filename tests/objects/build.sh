#!/bin/sh
# Compiles untyped.bpf.o anew, without -g: needs clang-19, llvm-strip-19 and the kernel's headers for user space (linux-libc-dev). It
# is committed, since the tests must not need a compiler.
set -eu
cd "$(dirname "$0")"
clang-19 -O2 -Wall -target bpf -mcpu=v3 -idirafter "/usr/include/$(uname -m)-linux-gnu" -c untyped.bpf.c -o untyped.bpf.o
llvm-strip-19 -g untyped.bpf.o
