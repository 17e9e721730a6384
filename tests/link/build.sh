#!/bin/sh
# Compiles the pairs anew: needs clang-19 and llvm-strip-19. They are committed, since the tests must not need a compiler.
set -eu
cd "$(dirname "$0")"
for source in *.c; do
    object="${source%.c}.o"
    clang-19 -g -O2 -Wall -Wno-unused-const-variable -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c "$source" -o "$object"
    llvm-strip-19 -g "$object"
done
