# Behind driver.sh: one pack after the other, each with a process of corelet-sockets, whose calls are known, in a cgroup of its own.

GROUP=/sys/fs/cgroup/corelet

mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
mkdir -p $GROUP /tmp/plain /tmp/version1
mount -t cgroup -o net_cls none /tmp/version1
ip link set lo up
# flows are only dissected where packets are spread over CPUs by them
echo 1 >/sys/class/net/lo/queues/rx-0/rps_cpus
# compiled programs have symbols, by which they are counted
echo 1 >/proc/sys/net/core/bpf_jit_enable
echo 1 >/proc/sys/net/core/bpf_jit_kallsyms

# How many programs the kernel has: those that are compiled have symbols. They are freed a while after they are closed.
programs() {
    tries=0
    while n=$(grep -c '\[bpf\]$' /proc/kallsyms) && [ $tries -lt 40 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
    echo "$n"
}

# place NAME PACK all|group|redirect|choose [OPTION]…: as `one`; WORKER in an option becomes the number of the process.
place() {
    name=$1 pack=$2 what=$3
    shift 3
    rm -f /tmp/go
    : >/tmp/err
    sh -c "echo \$\$ >$GROUP/cgroup.procs; exec /corelet/sockets $what" >/tmp/worker 2>&1 &
    worker=$!
    usleep 100000
    options=$(echo "$*" | sed "s/WORKER/$worker/")
    # The words of $options are options.
    # shellcheck disable=SC2086
    timeout 60 /corelet/corelet-loader run "$pack" --json $options >/tmp/out 2>>/tmp/err &
    loader=$!
    tries=0
    until grep -q "$READY" /tmp/err || ! kill -0 $loader 2>/dev/null || [ $tries -ge 600 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
    [ "$name" != congestion ] || echo corelet_cc >/proc/sys/net/ipv4/tcp_congestion_control
    registered=$(tr ' ' , </proc/sys/net/ipv4/tcp_available_congestion_control)
    congestion=$(cat /proc/sys/net/ipv4/tcp_congestion_control)
    # the types of its maps, as the kernel numbers them
    maps=$(sed -n 's/^map_type:[[:space:]]*//p' /proc/$loader/fdinfo/* 2>/dev/null | sort -n | uniq | tr '\n' ,)
    : >/tmp/go
    wait $worker
    worked=$?
    [ "$name" != congestion ] || echo cubic >/proc/sys/net/ipv4/tcp_congestion_control
    kill -TERM $loader 2>/dev/null
    wait $loader
    rc=$?
    echo "$MARK begin $name"
    # what is pinned by its name stays, as libbpf leaves it
    rm -f /sys/fs/bpf/corelet_*
    echo "F maps=$maps"
    echo "F worked=$worked"
    echo "F congestion=$congestion"
    echo "F registered=$registered"
    echo "F left=$(programs)"
    echo "F available=$(tr ' ' , </proc/sys/net/ipv4/tcp_available_congestion_control)"
    sed 's/^/E work: /' /tmp/worker
    sed 's/^/O /' /tmp/out
    sed 's/^/E /' /tmp/err
    echo "$MARK end $name $rc"
}
