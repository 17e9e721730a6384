#!/bin/sh
# Compiles net.bpf.o anew: needs clang-19 and llvm-strip-19. It is committed, since the tests must not need a compiler.
set -eu
cd "$(dirname "$0")"
clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c net.bpf.c -o net.bpf.o
llvm-strip-19 -g net.bpf.o
