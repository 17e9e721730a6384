#!/bin/sh
# Compiles the gallery anew, or those of its programs that are named: needs clang-19 and llvm-strip-19. The objects are committed,
# since one object with one checksum is what the gallery shows, and since the boards' tests must not need a compiler.
# Those in Rust (NAME.rs and, for the kernel's types, NAME.kernel.c) are compiled in a project of `corelet new --rust`: by name only, with
# corelet on the PATH, and BPF_LINKER and RUST_SRC as its Makefile has them.
set -eu
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- *.bpf.c
in_rust() {
	project=$(mktemp -d)/$1
	corelet new --rust "$project"
	cp "$1.rs" "$project/src/main.rs"
	cp "$1.kernel.c" "$project/src/kernel.c"
	flags=
	for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
		flags="$flags --remap-path-prefix=$registry=crates"
	done
	RUSTFLAGS=$flags make -C "$project" CLANG=clang-19 "$1.bpf.o"
	llvm-strip-19 -g -o "$1.bpf.o" "$project/$1.bpf.o"
	rm -r "${project%/*}"
}

for source; do
	name=${source%.bpf.c}
	if [ -f "$name.rs" ]; then
		in_rust "$name"
		continue
	fi
	clang-19 -g -O2 -Wall -Werror -target bpf -mcpu=v3 -I ../../host-tools/headers -ffile-prefix-map="$PWD/../../host-tools/headers"=headers \
		-ffile-prefix-map="$PWD"=. -c "$name.bpf.c" -o "$name.bpf.o"
	llvm-strip-19 -g "$name.bpf.o"
done
