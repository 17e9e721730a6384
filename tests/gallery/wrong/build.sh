#!/bin/sh
# Compiles the wrong forms and the made-up kernel anew: needs clang-19 and llvm-strip-19.
set -eu
cd "$(dirname "$0")"
for source in kernel registers.bpf unknown.bpf field.bpf long.bpf config.bpf; do
	clang-19 -g -O2 -Wall -target bpf -mcpu=v3 -I ../../../host-tools/headers -ffile-prefix-map="$PWD/../../../host-tools/headers"=headers \
		-ffile-prefix-map="$PWD"=. -c "$source.c" -o "$source.o"
	llvm-strip-19 -g "$source.o"
done
