# Runs on the board under busybox's sh: loads one pack after the other, makes the case's work happen once its programs are
# attached, and prints what came of it between two marks. Behind this text come, for each case NAME, the functions
# prepare_NAME (before loading; its variables stay), sets_NAME (the loader's --set options, in $sets), work_NAME and
# clean_NAME; then a line `one LABEL NAME PACK` for each run. What they print are facts: lines `name=value`.

# Off at boot on riscv64, whose kernel then refuses programs that call bpf_get_current_task.
echo 1 >/proc/sys/net/core/bpf_jit_enable
ip addr add 10.7.0.1/32 dev lo
ip addr add 10.7.0.2/32 dev lo
ip route replace local 10.7.0.2 dev lo src 10.7.0.1 table local
ip -6 addr add fd00::1/128 dev lo
ip -6 route add fd00:9::9/128 dev lo src fd00::1
# Connections have this local port: busybox's nc does not choose one.
echo 40417 40417 >/proc/sys/net/ipv4/ip_local_port_range
folder=/tmp/case

# Called with the loader's pid once the programs are attached, before the work; what it prints are facts.
loaded() { :; }

# Which kernel this is.
btf=no
[ -e /sys/kernel/btf ] && btf=yes
echo "$MARK begin $BOARD"
echo "F btf=$btf"
echo "F notes=$(od -A n -v -t x1 /sys/kernel/notes | tr -d ' \n')"
echo "$MARK end $BOARD 0"

one() {
    label=$1 name=$2 pack=$3 program=$4 sets=
    rm -rf "$folder"
    mkdir "$folder"
    cd "$folder" || return
    "prepare_$name" >facts 2>noise
    "sets_$name"
    # The words of $sets are options.
    # shellcheck disable=SC2086,SC2016
    (
        if [ -n "$program" ]; then
            sh -c 'echo $$ >pid; exec "$@"' sh "$program" "$pack" 2 $sets >out 2>err
        else
            sh -c 'echo $$ >pid; exec /corelet/corelet-loader "$@"' sh run "$pack" --json --memory --for 30 $sets >out 2>err
        fi
        echo $? >rc
    ) &
    waited=0
    until grep -q "$READY" err || [ -e rc ] || [ $waited -ge 400 ]; do
        waited=$((waited + 1))
        usleep 50000
    done
    if [ ! -e rc ]; then
        loaded "$(cat pid)" >>facts 2>>noise
        "work_$name" >>facts 2>>noise
        usleep 200000
        [ -n "$program" ] || kill -TERM "$(cat pid)"
    fi
    # Until the loader's own end: `wait` would wait for what the case left in the background too.
    waited=0
    until [ -e rc ] || [ $waited -ge 200 ]; do
        waited=$((waited + 1))
        usleep 50000
    done
    [ -e rc ] || kill -KILL "$(cat pid)"
    "clean_$name" >>facts 2>>noise
    echo "$MARK begin $label"
    sed 's/^/F /' facts
    sed 's/^/O /' out
    sed 's/^/E /' err
    echo "$MARK end $label $(cat rc)"
    cd /
}
