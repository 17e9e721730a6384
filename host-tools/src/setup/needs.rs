//! What the commands and steps need from Debian's packages, as data: the proof that it is here, the packages, the reason.

use std::path::PathBuf;

use corelet_boards::Board;

use super::machine::Machine;

/// One thing that a machine has or lacks.
#[derive(Debug, PartialEq, Eq)]
pub struct Need {
    /// What shows that it is here: looking is quicker than asking dpkg, and true where somebody built it from source.
    pub proof: Proof,
    /// Debian's packages that hold it; names differ by release, so the first one that apt knows is taken.
    pub packages: &'static [&'static str],
    /// What it is for, as the end of "qemu-system-arm: ".
    pub why: &'static str,
}

/// What shows that a need is met; of several names any one does.
#[derive(Debug, PartialEq, Eq)]
pub enum Proof {
    /// An executable.
    Program(&'static [&'static str]),
    /// A file, by its absolute path.
    File(&'static [&'static str]),
}

/// Emulates the AArch64 board.
pub const QEMU_AARCH64: Need = Need {
    proof: Proof::Program(&["qemu-system-aarch64"]),
    packages: &["qemu-system-arm"],
    why: "boots the AArch64 board",
};

/// Emulates the RISC-V board. A package of its own since Debian 13.
pub const QEMU_RISCV64: Need = Need {
    proof: Proof::Program(&["qemu-system-riscv64"]),
    packages: &["qemu-system-riscv", "qemu-system-misc"],
    why: "boots the RISC-V board",
};

/// Emulates the Cortex-M3.
pub const QEMU_ARM: Need = Need {
    proof: Proof::Program(&["qemu-system-arm"]),
    packages: &["qemu-system-arm"],
    why: "boots the 32-bit ARM board and emulates the Cortex-M3",
};

/// Emulates the 32-bit RISC-V microcontroller.
pub const QEMU_RISCV32: Need = Need {
    proof: Proof::Program(&["qemu-system-riscv32"]),
    packages: &["qemu-system-riscv", "qemu-system-misc"],
    why: "emulates the 32-bit RISC-V microcontroller",
};

/// Runs a program of a big-endian machine on this one's kernel.
pub const QEMU_S390X: Need = Need {
    proof: Proof::Program(&["qemu-s390x", "qemu-s390x-static"]),
    packages: &["qemu-user", "qemu-user-static"],
    why: "relocates on a big-endian machine",
};

/// What QEMU starts in the RISC-V board before the kernel.
pub const OPENSBI: Need = Need {
    proof: Proof::File(&["/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin"]),
    packages: &["opensbi"],
    why: "the firmware of the RISC-V board",
};

/// Unpacks Debian's packages of other architectures: kernels, busybox, tools.
pub const DPKG_DEB: Need = Need {
    proof: Proof::Program(&["dpkg-deb"]),
    packages: &["dpkg"],
    why: "unpacks the boards' kernels and busybox",
};

/// Makes U-Boot's images of kernels.
pub const MKIMAGE: Need = Need {
    proof: Proof::Program(&["mkimage"]),
    packages: &["u-boot-tools"],
    why: "wraps kernels as U-Boot's vendors do, for the tests to open",
};

/// Makes RPM packages.
pub const RPMBUILD: Need = Need {
    proof: Proof::Program(&["rpmbuild"]),
    packages: &["rpm"],
    why: "packs kernels as Fedora does, for the tests to open",
};

/// Makes images of file systems.
pub const MKE2FS: Need = Need {
    proof: Proof::Program(&["mke2fs"]),
    packages: &["e2fsprogs"],
    why: "makes file systems with kernels in them, for the tests to open",
};

/// Makes images of squashfs.
pub const MKSQUASHFS: Need = Need {
    proof: Proof::Program(&["mksquashfs"]),
    packages: &["squashfs-tools"],
    why: "makes root file systems as small devices have them, for the tests to open",
};

/// The keys that Debian's suites are signed with.
pub const KEYRING: Need = Need {
    proof: Proof::File(&[
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "/usr/share/keyrings/debian-archive-keyring.pgp",
    ]),
    packages: &["debian-archive-keyring"],
    why: "checks the signatures of the boards' kernels and busybox",
};

/// Unpacks Debian's source packages.
pub const DPKG_SOURCE: Need = Need {
    proof: Proof::Program(&["dpkg-source"]),
    packages: &["dpkg-dev"],
    why: "unpacks the source of the tools for the RISC-V and 32-bit ARM boards",
};

/// Compiles BPF programs. The version that the expected results are of comes first, newer ones serve too.
pub const CLANG: Need = Need {
    proof: Proof::Program(&["clang-19", "clang-20", "clang-21", "clang-22"]),
    packages: &["clang-19", "clang-20", "clang-21", "clang-22"],
    why: "compiles the BPF tools for the RISC-V and 32-bit ARM boards",
};

/// libbpf to compile with: its headers, those that BPF programs include among them, and the library.
pub const LIBBPF_HEADERS: Need = Need {
    proof: Proof::File(&["/usr/include/bpf/bpf_helpers.h"]),
    packages: &["libbpf-dev"],
    why: "what relocation is compared with",
};

/// Builds libFuzzer, which its crate brings as source.
pub const CXX: Need = Need {
    proof: Proof::Program(&["c++", "g++"]),
    packages: &["g++"],
    why: "builds libFuzzer for the fuzz targets",
};

/// The other implementation: what `btf min` is compared with.
pub const BPFTOOL: Need = Need {
    proof: Proof::Program(&["bpftool"]),
    packages: &["bpftool"],
    why: "its min_core_btf is what ours is compared with",
};

/// Counts instructions.
pub const VALGRIND: Need = Need {
    proof: Proof::Program(&["valgrind"]),
    packages: &["valgrind"],
    why: "counts the instructions that budgets are held to",
};

/// Disassembles BPF: what our listings are compared with.
pub const LLVM_OBJDUMP: Need = Need {
    proof: Proof::Program(&["llvm-objdump-19", "llvm-objdump-20", "llvm-objdump-21", "llvm-objdump-22"]),
    packages: &["llvm-19", "llvm-20", "llvm-21", "llvm-22"],
    why: "what listings of instructions are compared with",
};

/// Compiles the kernel of the board whose kernel is built here.
pub const GCC_ARMHF: Need = Need {
    proof: Proof::Program(&["arm-linux-gnueabihf-gcc"]),
    packages: &["gcc-arm-linux-gnueabihf"],
    why: "compiles the tiny kernel for 32-bit ARM",
};

/// Compiles the programs that a kernel's build runs.
pub const GCC: Need = Need { proof: Proof::Program(&["gcc"]), packages: &["gcc"], why: KERNEL };

/// Builds a kernel.
pub const MAKE: Need = Need { proof: Proof::Program(&["make"]), packages: &["make"], why: KERNEL };

/// Computes a kernel's constants of time.
pub const BC: Need = Need { proof: Proof::Program(&["bc"]), packages: &["bc"], why: KERNEL };

/// Makes the parser of a kernel's options.
pub const BISON: Need = Need { proof: Proof::Program(&["bison"]), packages: &["bison"], why: KERNEL };

/// Makes the scanner of a kernel's options.
pub const FLEX: Need = Need { proof: Proof::Program(&["flex"]), packages: &["flex"], why: KERNEL };

/// Packs a kernel's image.
pub const XZ: Need = Need { proof: Proof::Program(&["xz"]), packages: &["xz-utils"], why: KERNEL };

const KERNEL: &str = "builds the tiny kernel";

/// What booting a board takes, and building its kernel.
pub fn of_board(board: &Board) -> Vec<&'static Need> {
    let mut needs = vec![&DPKG_DEB, &KEYRING];
    match board.qemu.program.as_str() {
        "qemu-system-aarch64" => needs.push(&QEMU_AARCH64),
        "qemu-system-arm" => needs.push(&QEMU_ARM),
        "qemu-system-riscv64" => needs.extend([&QEMU_RISCV64, &OPENSBI]),
        // A board of somebody's own: its boot names the program that is missing.
        _ => {}
    }
    if let Some(build) = &board.build {
        needs.extend([&MAKE, &GCC, &BC, &BISON, &FLEX, &XZ]);
        // Another compiler is that of a board of somebody's own: its build names it.
        needs.extend((build.cross == "arm-linux-gnueabihf-").then_some(&GCC_ARMHF));
    }
    needs
}

impl Need {
    /// Where it is: the first of the proof's names that this machine has.
    pub fn find(&self, machine: &dyn Machine) -> Option<PathBuf> {
        match self.proof {
            Proof::Program(names) => names.iter().find_map(|name| machine.program(name)),
            Proof::File(paths) => paths.iter().map(PathBuf::from).find(|path| machine.exists(path)),
        }
    }

    /// The program or file that is looked for, for a message.
    pub fn what(&self) -> &'static str {
        let (Proof::Program(names) | Proof::File(names)) = self.proof;
        names.first().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use corelet_boards::Build;

    use super::*;

    #[test]
    fn every_board_of_ours_has_an_emulator_here() {
        for board in Board::built_in() {
            let needs = of_board(&board);
            assert!(needs.iter().any(|need| need.what() == board.qemu.program), "{}", board.name);
            for package in &board.qemu.packages {
                assert!(needs.iter().any(|need| need.packages.contains(&package.as_str())), "{package}");
            }
            for (program, package) in board.build.iter().flat_map(Build::programs) {
                let need = needs.iter().find(|need| need.what() == program);
                assert!(need.is_some_and(|need| need.packages == [&*package]), "{program}");
            }
        }
    }
}
