#!/bin/sh
# Compiles narrow.bpf.o anew: needs clang-19, llvm-strip-19 and libbpf-dev. It is committed, since what it is compiled with
# must not decide what the test sees.
set -eu
cd "$(dirname "$0")"
clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c narrow.bpf.c -o narrow.bpf.o
llvm-strip-19 -g narrow.bpf.o
