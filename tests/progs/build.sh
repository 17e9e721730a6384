#!/bin/sh
# Compiles the gallery anew, or those of its programs that are named: needs clang-19 and llvm-strip-19. The objects are committed,
# since one object with one checksum is what the gallery shows, and since the boards' tests must not need a compiler.
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- *.bpf.c
for source; do
	name=${source%.bpf.c}
	clang-19 -g -O2 -Wall -Werror -target bpf -mcpu=v3 -I ../../host-tools/headers -ffile-prefix-map="$PWD/../../host-tools/headers"=headers \
		-ffile-prefix-map="$PWD"=. -c "$name.bpf.c" -o "$name.bpf.o"
	llvm-strip-19 -g "$name.bpf.o"
done
