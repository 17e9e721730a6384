# Runs on the board under busybox's sh: one pack after the other, each with a process whose reads are known; and between two
# marks what came of it, for tests/attach.rs.

# Waits for its turn, then reads 100 times and writes as often, under the number that it had from the start.
work() {
    sh -c 'while [ ! -e /tmp/go ]; do usleep 20000; done; exec dd if=/dev/zero of=/dev/null bs=1 count=100 2>/dev/null' &
    worker=$!
}

# one NAME PACK [OPTION]…: the work begins when the loader is ready; an iterator ends by itself. ONLY among the options counts
# what the work does alone.
one() {
    name=$1 pack=$2
    shift 2
    rm -f /tmp/go
    : >/tmp/err
    work
    options=$*
    [ "$options" != ONLY ] || options="--set only=$worker"
    # The words of $options are options.
    # shellcheck disable=SC2086
    timeout 60 /corelet/corelet-loader run "$pack" --json $options >/tmp/out 2>>/tmp/err &
    loader=$!
    tries=0
    until grep -q "$READY" /tmp/err || ! kill -0 $loader 2>/dev/null || [ $tries -ge 600 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
    : >/tmp/go
    wait $worker
    # what is sampled needs time
    [ "$options" ] || sleep 1
    kill -TERM $loader 2>/dev/null
    wait $loader
    rc=$?
    echo "$MARK begin $name"
    sed 's/^/O /' /tmp/out
    sed 's/^/E /' /tmp/err
    echo "$MARK end $name $rc"
}

# jit 0|1: whether the kernel compiles programs, where it leaves the choice.
jit() {
    echo $1 >/proc/sys/net/core/bpf_jit_enable 2>/dev/null
    echo "$MARK begin jit-$1"
    echo "F jit=$(cat /proc/sys/net/core/bpf_jit_enable)"
    echo "F lsm=$(cat /sys/kernel/security/lsm 2>/dev/null)"
    echo "$MARK end jit-$1 0"
}
