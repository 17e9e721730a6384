#!/bin/sh
# Compiles the made-up kernel anew: needs clang-19 and llvm-strip-19. It is committed for a test that has no compiler; the step `authors`
# compiles it, and the forms, each time.
set -eu
cd "$(dirname "$0")"
clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -ffile-prefix-map="$PWD"=. -c kernel.c -o kernel.o
llvm-strip-19 -g kernel.o
