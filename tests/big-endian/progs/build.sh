#!/bin/sh
# Compiles for big-endian machines what host-tools/tests/progs/build.sh compiles for little-endian ones, from the same
# sources: needs clang-19, llvm-strip-19 and libbpf-dev. The objects are committed, since the tests must not need a compiler.
set -eu
cd "$(dirname "$0")"
sources=../../../host-tools/tests/progs
for source in kernel sample.bpf; do
    clang-19 -g -O2 -Wall -target bpfeb -mcpu=v3 -ffile-prefix-map="$(realpath $sources)"=. -ffile-prefix-map="$sources"=. \
        -fdebug-compilation-dir=. -c "$sources/$source.c" -o "$source.o"
    llvm-strip-19 -g "$source.o"
done
