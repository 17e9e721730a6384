# Behind net/driver.sh, whose interfaces and start of a loader these are: one pack after the other, one section name each, beside work of every kind
# that some program waits for.

GROUP=/sys/fs/cgroup/corelet

prepare() {
    mkdir -p $GROUP
    # flows are only dissected where packets are spread over CPUs by them
    echo 1 >/sys/class/net/lo/queues/rx-0/rps_cpus
    # compiled programs have symbols, by which they are counted
    echo 1 >/proc/sys/net/core/bpf_jit_enable 2>/dev/null
    echo 1 >/proc/sys/net/core/bpf_jit_kallsyms 2>/dev/null
    (
        echo "$MARK begin board"
        echo "F jit=$(cat /proc/sys/net/core/bpf_jit_enable)"
        echo "F lsm=$(cat /sys/kernel/security/lsm 2>/dev/null || echo none)"
        echo "$MARK end board 0"
    )
}

# Reads, files, echoes, calls of sockets in a cgroup, and functions of a program in user space.
work() {
    : >/tmp/go
    [ ! -e /corelet/sockets ] || sh -c "echo \$\$ >$GROUP/cgroup.procs; exec /corelet/sockets all" >>/tmp/work 2>&1
    dd if=/dev/zero of=/dev/null bs=1 count=100 2>/dev/null
    there ping -c 1 -W 1 10.9.0.1 >/dev/null 2>&1
    [ ! -e /sys/class/net/nk1 ] || there ping -c 1 -W 1 10.8.0.1 >/dev/null 2>&1
    /corelet/probed 1 >/dev/null
}

# Ends the loader and says what it said, without the programs of the other names.
show() {
    kill -TERM $loader 2>/dev/null
    wait $loader
    rc=$?
    sed 's/^/O /' /tmp/out
    sed -e '/: the manifest says so$/d' -e 's/^/E /' /tmp/err
}

# name LABEL all|group|test|cc [OPTION]…: WORKER in an option becomes the number of the process whose socket it is.
name() {
    label=$1 what=$2
    shift 2
    rm -f /tmp/go
    : >/tmp/work
    echo "$MARK begin $label"
    if [ "$what" = group ] && [ -e /corelet/sockets ]; then
        /corelet/sockets group >>/tmp/work 2>&1 &
        worker=$!
        usleep 100000
    fi
    # The words of $options are options.
    options=$(echo "$*" | sed "s/WORKER/$worker/")
    # shellcheck disable=SC2086
    start "/corelet/$label.pack" $options
    # an iterator is read to its end at once
    ! grep -q -e "$READY" -e ' done: ' /tmp/err || echo "F ready=1"
    case $what in
    group) : >/tmp/go && wait $worker ;;
    test) [ ! -e /corelet/sockets ] || /corelet/sockets test ;;
    cc)
        echo corelet_cc >/proc/sys/net/ipv4/tcp_congestion_control 2>/dev/null
        work
        echo cubic >/proc/sys/net/ipv4/tcp_congestion_control
        ;;
    *) work ;;
    esac
    show
    sed 's/^/E work: /' /tmp/work
    echo "$MARK end $label $rc"
}

# Programs and trampolines; not what runs XDP, which the kernel keeps from the first such program on.
of_bpf() {
    grep '\[bpf\]$' /proc/kallsyms | grep -v 'bpf_dispatcher_'
}

# What is left in the kernel when all loaders have ended: programs are freed a while after they are closed.
left() {
    tries=0
    while n=$(of_bpf | wc -l) && [ "$n" -gt 0 ] && [ $tries -lt 40 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
    echo "$MARK begin left"
    echo "F programs=$n"
    of_bpf | sed 's/^/E /'
    echo "$MARK end left 0"
}
