#!/bin/sh
# Compiles ext4sync.bpf.o anew: needs clang-19, llvm-strip-19 and libbpf-dev. It is committed, since the boards' tests must
# not depend on a compiler's version.
set -eu
cd "$(dirname "$0")"
clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c ext4sync.bpf.c -o ext4sync.bpf.o
llvm-strip-19 -g ext4sync.bpf.o
