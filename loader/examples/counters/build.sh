#!/bin/sh
# Compiles the object anew: needs clang-19 and llvm-strip-19. It is committed, as the tests must not need a compiler.
set -eu
cd "$(dirname "$0")"
headers=../../../host-tools/headers
clang-19 -g -O2 -Wall -Werror -target bpf -mcpu=v3 -I $headers -ffile-prefix-map="$PWD/$headers"=headers -ffile-prefix-map="$PWD"=. \
	-c counters.bpf.c -o counters.bpf.o
llvm-strip-19 -g counters.bpf.o
