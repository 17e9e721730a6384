#!/bin/sh
# Compiles the files with DWARF anew: needs gcc, binutils with zstd, clang-19, llvm-dwp-19, dwz. They are committed, since the tests
# must not need a compiler; run this only to change them.
set -eu
cd "$(dirname "$0")"
flags="-O1 -ffile-prefix-map=$PWD=. -fno-asynchronous-unwind-tables -fno-ident"

# every width and byte order, as objects, whose relocations fill in the references
for target in x86_64 i386 aarch64 armv7a-linux-gnueabi mips mips64 s390x powerpc64le riscv64; do
    for version in 4 5; do
        clang-19 $flags -target "$target" -gdwarf-$version -c types.c -o "types-${target%%-*}-$version.o"
    done
done
# a bitfield's place from the other end of its storage
for target in x86_64 mips64; do
    clang-19 $flags -target "$target" -gdwarf-3 -c types.c -o "types-$target-3.o"
done
rm types-i386-5.o types-aarch64-4.o types-powerpc64le-4.o types-riscv64-4.o types-mips64-4.o types-s390x-5.o types-armv7a-5.o
# the oracle: clang's own BTF of the same source
clang-19 -O1 -g -ffile-prefix-map="$PWD"=. -target bpf -c types.c -o types.bpf.o
llvm-strip-19 -g types.bpf.o

# two units, linked, and the same with compressed sections
link="gcc $flags -g -nostdlib -static -Wl,-e,0 -Wl,--unique=.data..percpu -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567"
$link types.c other.c -o two
$link -Wl,--compress-debug-sections=zlib types.c other.c -o two-zlib
$link -Wl,--compress-debug-sections=zstd types.c other.c -o two-zstd
$link -Wl,--compress-debug-sections=zlib-gnu types.c other.c -o two-zdebug
$link -gdwarf-4 types.c other.c -o two-4
# each type in a unit of its own, of DWARF 5 and in the section that 4 has for them
$link -fdebug-types-section types.c other.c -o two-units
$link -gdwarf-4 -fdebug-types-section types.c other.c -o two-units-4
# types in other units than what has the code
$link -flto types.c other.c -o two-lto
objcopy --only-keep-debug two two.debug
strip -o two-stripped two
objcopy --add-gnu-debuglink=two.debug two-stripped
strip -s -o two-bare two
objcopy --remove-section=.note.gnu.build-id two-bare

# a module of types-x86_64-5.o
clang-19 $flags -target x86_64 -gdwarf-5 -c module.c -o module.o

# split, of DWARF 5 and of GNU's 4
clang-19 $flags -target x86_64 -gdwarf-5 -gsplit-dwarf -fdebug-compilation-dir=. -c types.c -o split-5.o
clang-19 $flags -target x86_64 -gdwarf-4 -gsplit-dwarf -fdebug-compilation-dir=. -c types.c -o split-4.o
llvm-dwp-19 split-5.dwo -o split-packed.o.dwp
cp split-5.o split-packed.o

# declarations without members, as CONFIG_DEBUG_INFO_REDUCED gives
gcc $flags -g -femit-struct-debug-baseonly -fno-var-tracking -c other.c -o reduced.o
# not C
printf 'struct cpp { int a; virtual int f(); };\nint cpp::f() { return a; }\nint take(cpp *c) { return c->a; }\n' > not_c.cc
g++ $flags -fno-rtti -g -c not_c.cc -o not_c.o
rm not_c.cc

# a kernel, a module of it and one of another
gcc $flags -g -c belongs.c -o belongs-kernel.o
gcc $flags -g -DMODULE -c belongs.c -o belongs.o
gcc $flags -g -DMODULE -DOTHER -c belongs.c -o belongs-not.o

# what two files share in a third one
cp two two-dwz
$link -Wl,--build-id=0x01 types.c other.c -o other-dwz
dwz -m two.alt two-dwz other-dwz
rm two.alt other-dwz
