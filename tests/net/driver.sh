# Runs on the board under busybox's sh: a veth pair and a netkit pair between here and another network namespace, programs attached
# to the ends that are here, and echoes from there; between two marks what came of it, for tests/net.rs.

there() {
    nsenter -t "$other" -n "$@"
}

# pair HERE THERE ADDRESS: moves one of two new devices there, and gives both addresses of a network of their own.
pair() {
    ip link set "$2" netns "$other"
    ip addr add "$3.1/24" dev "$1"
    ip link set "$1" up
    there ip addr add "$3.2/24" dev "$2"
    there ip link set "$2" up
}

setup() {
    unshare -n sleep 100000 &
    other=$!
    usleep 300000
    echo "$MARK begin setup"
    ip link add type veth && pair veth0 veth1 10.9.0 2>&1 | sed 's/^/E /'
    # the second is the primary one, which programs of both are attached to
    ip link add type netkit 2>/dev/null && pair nk1 nk0 10.8.0 2>&1 | sed 's/^/E /'
    ip link | sed 's/^/E /'
    # the neighbours are known before anything is counted
    there ping -c 1 -W 2 10.9.0.1 | grep received | sed 's/^/E /'
    echo "$MARK end setup 0"
}

received() {
    sed -n 's/.* \([0-9]*\) packets received.*/\1/p' "$1"
}

# echoes NAME ADDRESS: how many of three come back that are filled with 0x55, and of three with 0xdd.
echoes() {
    there ping -c 3 -i 0.1 -W 1 -p 55 "$2" >/tmp/pass 2>&1 &
    passing=$!
    there ping -c 3 -i 0.1 -W 1 -p dd "$2" >/tmp/drop 2>&1
    wait $passing
    echo "F $1_55=$(received /tmp/pass)"
    echo "F $1_dd=$(received /tmp/drop)"
}

# start PACK [OPTION]…: a loader, until it is ready or has ended.
start() {
    : >/tmp/err
    /corelet/corelet-loader run "$@" --json >/tmp/out 2>>/tmp/err &
    loader=$!
    tries=0
    until grep -q "$READY" /tmp/err || ! kill -0 $loader 2>/dev/null || [ $tries -ge 400 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
}

# show NAME: ends the loader and says what it said.
show() {
    kill -TERM $loader 2>/dev/null
    wait $loader
    rc=$?
    sed 's/^/O /' /tmp/out
    sed 's/^/E /' /tmp/err
}

# one NAME ADDRESS PACK [OPTION]…: echoes while the programs run, and when they are gone.
one() {
    name=$1 address=$2
    shift 2
    echo "$MARK begin $name"
    start "$@"
    echoes with "$address"
    show
    end=$rc
    there ping -c 1 -W 1 -p dd "$address" >/tmp/drop 2>&1
    echo "F left=$(received /tmp/drop)"
    echo "$MARK end $name $end"
}

# refused NAME PACK [OPTION]…: one that must not start.
refused() {
    name=$1
    shift
    echo "$MARK begin $name"
    start "$@"
    show
    echo "$MARK end $name $rc"
}

# killed NAME PACK [OPTION]…: what a killed loader leaves is there, and the next one removes it.
killed() {
    name=$1
    shift
    echo "$MARK begin $name"
    start "$@"
    kill -KILL $loader
    wait $loader 2>/dev/null
    there ping -c 1 -W 1 -p dd 10.9.0.1 >/tmp/drop 2>&1
    echo "F killed=$(received /tmp/drop)"
    start "$@"
    show
    end=$rc
    there ping -c 1 -W 1 -p dd 10.9.0.1 >/tmp/drop 2>&1
    echo "F left=$(received /tmp/drop)"
    echo "F pins=$(ls /sys/fs/bpf | wc -l)"
    echo "$MARK end $name $end"
}

# busy NAME PACK OTHER: a second program where one is.
busy() {
    echo "$MARK begin $1"
    start "$2"
    first=$loader
    start "$3"
    show
    end=$rc
    echoes with 10.9.0.1
    kill -TERM $first
    wait $first
    echo "$MARK end $1 $end"
}

# follow NAME PACK [OPTION]…: the interface goes and comes back.
follow() {
    name=$1
    shift
    echo "$MARK begin $name"
    start "$@" --follow
    ip link del veth0
    usleep 300000
    ip link add type veth && pair veth0 veth1 10.9.0
    usleep 300000
    there ping -c 1 -W 2 10.9.0.1 >/dev/null 2>&1
    echoes with 10.9.0.1
    show
    end=$rc
    there ping -c 1 -W 1 -p dd 10.9.0.1 >/tmp/drop 2>&1
    echo "F left=$(received /tmp/drop)"
    echo "$MARK end $name $end"
}

# service NAME PACK: loaded, pinned, unloaded.
service() {
    echo "$MARK begin $1"
    /corelet/corelet-loader load "$2" --name net 2>&1 | sed 's/^/E /'
    echo "F links=$(ls /sys/fs/bpf/corelet/net/links 2>/dev/null | wc -l)"
    echoes with 10.9.0.1
    /corelet/corelet-loader unload net 2>&1 | sed 's/^/E /'
    there ping -c 1 -W 1 -p dd 10.9.0.1 >/tmp/drop 2>&1
    echo "F left=$(received /tmp/drop)"
    echo "$MARK end $1 0"
}

# token NAME PACK PROGS: in a user and network namespace of its own, by what a bpffs there delegates: programs of the types PROGS. Echoes
# on the loopback interface, which is all that there is.
token() {
    name=$1
    mkdir -p /tmp/token
    : >/tmp/err
    cat >/tmp/inside <<INSIDE
ip link set lo up
/corelet/corelet-loader run $2 --interface lo --token /tmp/token --json >/tmp/out 2>/tmp/err &
loader=\$!
tries=0
until grep -q "$READY" /tmp/err || ! kill -0 \$loader 2>/dev/null || [ \$tries -ge 400 ]; do
    tries=\$((tries + 1))
    usleep 50000
done
ping -c 3 -i 0.1 -W 1 -p 55 127.0.0.1 >/tmp/pass 2>&1
ping -c 3 -i 0.1 -W 1 -p dd 127.0.0.1 >/tmp/drop 2>&1
kill -TERM \$loader 2>/dev/null
wait \$loader
INSIDE
    echo "$MARK begin $name"
    /corelet/corelet-token any any "$3" any /tmp/token /bin/sh /tmp/inside
    rc=$?
    echo "F with_55=$(received /tmp/pass)"
    echo "F with_dd=$(received /tmp/drop)"
    sed 's/^/O /' /tmp/out
    sed 's/^/E /' /tmp/err
    echo "$MARK end $name $rc"
}
