# Behind driver.sh: programs of xdp-tools on one end of a veth pair, whose other end is in another network namespace.
there() {
    nsenter -t "$other" -n "$@"
}

setup() {
    unshare -n sleep 100000 &
    other=$!
    usleep 300000
    ip link add type veth
    ip link set veth1 netns "$other"
    ip addr add 10.9.0.1/24 dev veth0
    ip link set veth0 up
    there ip addr add 10.9.0.2/24 dev veth1
    there ip link set veth1 up
    # the neighbours are known before anything is counted
    there ping -c 1 -W 2 10.9.0.1 >/dev/null 2>&1
}

# start PACK: attached to veth0, until it is ready or has ended.
start() {
    : >err
    /corelet/corelet-loader run "$1" --interface veth0 >/dev/null 2>>err &
    loader=$!
    tries=0
    until grep -q "$READY" err || ! kill -0 $loader 2>/dev/null || [ $tries -ge 400 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
}

stop() {
    kill -TERM $loader 2>/dev/null
    wait $loader
    rc=$?
    sed 's/^/E /' err
    # what the objects pin by name
    rm -f /sys/fs/bpf/filter_ports /sys/fs/bpf/xdp_stats_map
    left
}

# echoes NAME: how many of three come back.
echoes() {
    there ping -c 3 -i 0.1 -W 1 10.9.0.1 >ping 2>&1
    sed -n "s/.* \([0-9]*\) packets received.*/F $1=\1/p" ping
}

# datagrams NAME PORT: how many of three arrive there.
datagrams() {
    /corelet/datagrams "$2" >received &
    receiver=$!
    usleep 300000
    there /corelet/datagrams 10.9.0.1 "$2"
    wait $receiver
    echo "F $1=$(cat received)"
}

# pings NAME PACK
pings() {
    echo "$MARK begin $1"
    start "$2"
    echoes with
    stop
    end=$rc
    echoes gone
    echo "$MARK end $1 $end"
}

# filter NAME PACK: datagrams to port 7777 are dropped, since xdp-filter's map says so (destination, UDP), those to 8888 pass.
# The map's keys are ports in network order.
filter() {
    echo "$MARK begin $1"
    start "$2"
    datagrams before 7777
    /corelet/libbpf --put filter_ports $((0x611e)) 10 2>&1 | sed 's/^/E /'
    datagrams dropped 7777
    datagrams passed 8888
    /corelet/libbpf --get filter_ports $((0x611e)) | sed 's/^/F /'
    /corelet/libbpf --get xdp_stats_map 1 | sed 's/^/F /'
    stop
    end=$rc
    datagrams gone 7777
    echo "$MARK end $1 $end"
}

setup
