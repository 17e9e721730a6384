#!/bin/sh
# Compiles maps.bpf.o anew: needs clang-19 and llvm-strip-19. It is committed, since the tests must not need a compiler.
set -eu
cd "$(dirname "$0")"
clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c maps.bpf.c -o maps.bpf.o
llvm-strip-19 -g maps.bpf.o
