#!/bin/sh
# The first process of a board: mounts what BPF needs, loads modules, runs /corelet/run, powers off.
# Busybox's shell; the kernel hands over CORELET_NONCE and CORELET_SHELL from its command line.

/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM="${TERM:-linux}"

try() {
    "$@" || echo "corelet-init: failed: $*"
}

try mount -t proc proc /proc
try mount -t sysfs sysfs /sys
try mount -t devtmpfs devtmpfs /dev
try mount -t tmpfs tmpfs /tmp
[ -d /sys/kernel/tracing ] && try mount -t tracefs tracefs /sys/kernel/tracing
[ -d /sys/fs/bpf ] && try mount -t bpf bpf /sys/fs/bpf
[ -d /sys/fs/cgroup ] && try mount -t cgroup2 cgroup2 /sys/fs/cgroup
try ip link set lo up

# Some architectures leave the compiler of BPF off, and calls of kernel functions need it; a kernel without
# the file has none, or no switch for it.
{ echo 1 >/proc/sys/net/core/bpf_jit_enable; } 2>/dev/null

if [ -f /lib/modules/order ]; then
    while read -r file parameters; do
        # Parameters are words of their own.
        # shellcheck disable=SC2086
        try insmod "/lib/modules/$file" $parameters
    done </lib/modules/order
fi

if [ -n "$CORELET_SHELL" ]; then
    echo "This is $(uname -m), Linux $(uname -r). 'exit' powers it off; Ctrl-A X ends QEMU."
    cd /corelet || cd /
    setsid cttyhack sh
    poweroff -f
fi

# Messages of the kernel would break lines of output; a panic is printed all the same.
dmesg -n 1
# Bytes as they are: no carriage returns.
stty -opost
echo "CORELET-INIT $CORELET_NONCE $(uname -r)"
sh /corelet/run
echo "CORELET-DONE $CORELET_NONCE rc=$?"
# stty waits until the console has taken everything.
stty opost
poweroff -f
