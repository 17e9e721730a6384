#!/bin/sh
# Compiles lacking.bpf.o anew: needs clang-19, llvm-strip-19 and libbpf-dev. It is committed, as the other objects of these
# tests are.
set -eu
cd "$(dirname "$0")"
clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c lacking.bpf.c -o lacking.bpf.o
llvm-strip-19 -g lacking.bpf.o
