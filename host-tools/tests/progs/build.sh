#!/bin/sh
# Compiles the objects of this folder anew: needs clang-19, llvm-strip-19 and libbpf-dev. The objects are committed, since
# the tests must not need a compiler; run this only to change them.
set -eu
cd "$(dirname "$0")"
for source in kernel sample.bpf unportable.bpf dropped.kernel dropped.bpf externs.bpf helpers.bpf narrow.kernel narrow.bpf; do
    clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c "$source.c" -o "$source.o"
    llvm-strip-19 -g "$source.o"
done
