# Behind driver.sh: programs of routes, which Debian's `ip` attaches from their pins; addresses of the other namespace behind them.

PINS=/sys/fs/bpf/corelet/lwt/progs

# route NAME ADDRESS [WORD]…: echoes over the route, its end, and echoes that pass without it.
route() {
    hop=$1 address=$2
    shift 2
    /usr/bin/ip route add "$address" "$@" via 10.9.0.2 dev veth0 2>&1 | sed 's/^/E /'
    ping -c 3 -i 0.1 -W 1 -p 55 "$address" >/tmp/pass 2>&1
    ping -c 3 -i 0.1 -W 1 -p dd "$address" >/tmp/drop 2>&1
    /usr/bin/ip route del "$address" 2>&1 | sed 's/^/E /'
    # a packet that is dropped on its way out is an error of whoever sends it, and ping ends without a summary
    ! grep -q 'sendto: ' /tmp/drop || echo '0 packets transmitted, 0 packets received, ' >>/tmp/drop
    echo "F ${hop}_55=$(received /tmp/pass)"
    echo "F ${hop}_dd=$(received /tmp/drop)"
}

# How many packets of IPv4, or with 6 of IPv6, this namespace has forwarded.
forwarded() {
    if [ "$1" = 6 ]; then
        sed -n 's/^Ip6OutForwDatagrams[[:space:]]*//p' /proc/net/snmp6
    else
        awk '/^Ip:/ { if (at) { print $at; exit } for (at = NF; $at != "ForwDatagrams"; at--); }' /proc/net/snmp
    fi
}

lwt() {
    echo "$MARK begin lwt"
    /corelet/corelet-loader load /corelet/lwt.pack --name lwt 2>&1 | sed 's/^/E /'
    for n in 1 2 3; do there ip addr add 10.77.0.$n/32 dev lo; done
    there ip link set lo up
    route out 10.77.0.1 encap bpf out pinned $PINS/lwt-route_out
    route xmit 10.77.0.2 encap bpf xmit pinned $PINS/lwt-route_xmit
    route without 10.77.0.3

    # what comes in goes through the route of its destination, here back to where it came from
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects
    echo 0 >/proc/sys/net/ipv4/conf/veth0/send_redirects
    /usr/bin/ip route add 10.78.0.0/24 encap bpf in pinned $PINS/lwt-route_in via 10.9.0.2 dev veth0 2>&1 | sed 's/^/E /'
    there ip route add 10.78.0.0/24 via 10.9.0.1 dev veth1
    first=$(forwarded)
    there ping -c 3 -i 0.1 -W 1 -p 55 10.78.0.1 >/dev/null 2>&1
    second=$(forwarded)
    there ping -c 3 -i 0.1 -W 1 -p dd 10.78.0.1 >/dev/null 2>&1
    echo "F in_55=$((second - first))"
    echo "F in_dd=$(($(forwarded) - second))"
    there ip route del 10.78.0.0/24
    /usr/bin/ip route del 10.78.0.0/24 2>&1 | sed 's/^/E /'
    echo 0 >/proc/sys/net/ipv4/ip_forward

    # packets of IPv6 whose way leads over a segment here
    echo 1 >/proc/sys/net/ipv6/conf/all/seg6_enabled
    echo 1 >/proc/sys/net/ipv6/conf/veth0/seg6_enabled
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    /usr/bin/ip -6 addr add fd09::1/64 dev veth0 nodad
    there /usr/bin/ip -6 addr add fd09::2/64 dev veth1 nodad
    /usr/bin/ip -6 route add fd78::/64 via fd09::2 dev veth0
    there sh -c 'echo 0 >/proc/sys/net/ipv6/conf/veth1/accept_redirects'
    there ping -6 -c 1 -W 2 fd09::1 >/dev/null 2>&1
    /usr/bin/ip -6 route add fd77::1/128 encap seg6local action End.BPF endpoint pinned $PINS/lwt-segment dev veth0 2>&1 | sed 's/^/E /'
    there /usr/bin/ip -6 route add fd77::/64 via fd09::1 dev veth1
    there /usr/bin/ip -6 route add fd78::1/128 encap seg6 mode inline segs fd77::1 via fd09::1 dev veth1 2>&1 | sed 's/^/E /'
    first=$(forwarded 6)
    there ping -6 -c 3 -i 0.1 -W 1 -p 55 fd78::1 >/dev/null 2>&1
    second=$(forwarded 6)
    there ping -6 -c 3 -i 0.1 -W 1 -p dd fd78::1 >/dev/null 2>&1
    echo "F segment_55=$((second - first))"
    echo "F segment_dd=$(($(forwarded 6) - second))"
    /usr/bin/ip -6 route del fd77::1/128 2>&1 | sed 's/^/E /'

    /corelet/corelet-loader unload lwt 2>&1 | sed 's/^/E /'
    echo "F pins=$(ls /sys/fs/bpf/corelet 2>/dev/null | wc -l)"
    echo "$MARK end lwt 0"
}
