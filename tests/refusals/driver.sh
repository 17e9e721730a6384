# Runs on the board under busybox's sh: one loader after the other, each on a pack that it should or should not take; and
# between two marks what came of it, for tests/refusals.rs. `left` says what each left behind.

echo 1 >/proc/sys/net/core/bpf_jit_enable

# What there is of BPF in the kernel: memory of programs, which stays while anything at all holds one; pins; probes.
held() {
    echo "$(grep -c bpf_prog /proc/vmallocinfo) $(find /sys/fs/bpf -type f | wc -l)" \
        "$(wc -l </sys/kernel/tracing/kprobe_events) $(find /proc/[0-9]*/fd -lname 'anon_inode:bpf*' 2>/dev/null | wc -l)"
}

# Waits for the kernel, which frees programs a little after their end.
settle() {
    tries=0
    until [ "$(held)" = "$before" ] || [ $tries -ge 60 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
    if [ "$(held)" = "$before" ]; then echo nothing; else echo "'$(held)', before '$before'"; fi
}

report() {
    echo "$MARK begin $name"
    echo "F left=$(settle)"
    sed 's/^/E /' /tmp/err
    echo "$MARK end $name $rc"
}

one() {
    name=$1 before=$(held)
    shift
    timeout 30 /corelet/corelet-loader "$@" >/tmp/out 2>/tmp/err
    rc=$?
    report
}

# The same on a kernel whose own types cannot be seen.
hidden() {
    mount -t tmpfs none /sys/kernel/btf
    one "$@"
    umount /sys/kernel/btf
}

# What `held` says while a pack runs: if it were the same, the count would show nothing.
running() {
    name=$1 before=$(held)
    : >/tmp/err
    timeout 30 /corelet/corelet-loader run "$2" --for 20 >/tmp/out 2>>/tmp/err &
    tries=0
    until grep -q "$READY" /tmp/err || [ $tries -ge 200 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
    if [ "$(held)" = "$before" ]; then echo "during: not seen" >>/tmp/err; else echo "during: seen" >>/tmp/err; fi
    kill -TERM $(pidof corelet-loader)
    wait $!
    rc=$?
    report
}

# The same, with what it prints.
shown() {
    name=$1 before=$(held)
    shift
    timeout 30 /corelet/corelet-loader "$@" >/tmp/out 2>/tmp/err
    rc=$?
    cat /tmp/out >>/tmp/err
    report
}

# The same on a kernel whose compiler is off.
jitless() {
    echo 0 >/proc/sys/net/core/bpf_jit_enable
    one "$@"
    echo 1 >/proc/sys/net/core/bpf_jit_enable
}

# A map that is pinned by its name: the first run makes the pin, the second uses it, and a pack of another definition is refused. It
# stays until it is removed here.
pinned() {
    name=$1 before=$(held) pin=/sys/fs/bpf/corelet_pinned
    [ -d /sys/fs/bpf ] && ! grep -q ' /sys/fs/bpf bpf ' /proc/mounts && mount -t bpf none /sys/fs/bpf
    timeout 30 /corelet/corelet-loader run "$2" --for 1 >/tmp/out 2>/tmp/err
    rc=$?
    [ -e $pin ] && echo "pin: made" >>/tmp/err
    timeout 30 /corelet/corelet-loader run "$2" --for 1 >/tmp/out 2>>/tmp/err || rc=$?
    cat /tmp/out >>/tmp/err
    timeout 30 /corelet/corelet-loader verify "$3" 2>>/tmp/err && rc=9
    [ -e $pin ] && echo "pin: stays" >>/tmp/err
    rm -f $pin
    report
}

# A pack that is rewritten without pause while one loader after the other reads it.
rewritten() {
    name=$1 good=$2 before=$(held) pack=/tmp/rewritten.pack
    half=$(($(wc -c <"$good") / 2))
    cp "$good" "$pack"
    while :; do
        head -c $half "$good" >"$pack"
        cat "$good" >"$pack"
        dd if=/dev/urandom of="$pack" bs=512 seek=4 count=2 conv=notrunc
        cat "$good" >"$pack"
        usleep 300
    done 2>/dev/null &
    writer=$!
    rc=0 loaded=0 refused=0
    for _ in $(seq 60); do
        timeout 30 /corelet/corelet-loader verify "$pack" >/tmp/out 2>/tmp/err
        case $? in
            0) loaded=$((loaded + 1)) ;;
            3) refused=$((refused + 1)) ;;
            *) rc=1 && cat /tmp/err ;;
        esac
    done
    kill $writer
    echo "loaded=$loaded refused=$refused" >/tmp/err
    # a writer that was never met shows nothing
    [ $refused -gt 0 ] || rc=2
    report
}
