# Runs on the board under busybox's sh: services, one case after the other, and between two marks what came of each, for
# tests/service.rs. MARK, READY, KILLS and SOAK stand in front of this text.

loader=/corelet/corelet-loader
echo 1 >/proc/sys/net/core/bpf_jit_enable
echo 1 >/proc/sys/kernel/bpf_stats_enabled
echo text >/tmp/present

# What there is of BPF in the kernel, as in refusals/driver.sh.
held() {
    echo "$(grep -c bpf_prog /proc/vmallocinfo) $(find /sys/fs/bpf -mindepth 1 | wc -l)" \
        "$(wc -l </sys/kernel/tracing/kprobe_events) $(find /proc/[0-9]*/fd -lname 'anon_inode:bpf*' 2>/dev/null | wc -l)"
}

# Waits until a command succeeds, ten seconds at most.
until_true() {
    waited=0
    until "$@"; do
        waited=$((waited + 1))
        [ $waited -ge 200 ] && return 1
        usleep 50000
    done
}

same() { [ "$(held)" = "$before" ]; }
ready() { grep -q "$READY" /tmp/err; }

begin() {
    name=$1 before=$(held)
    : >/tmp/err
    : >/tmp/out
    : >/tmp/facts
}

end() {
    until_true same && echo left=nothing >>/tmp/facts || echo "left='$(held)', before '$before'" >>/tmp/facts
    echo "$MARK begin $name"
    sed 's/^/F /' /tmp/facts
    sed 's/^/O /' /tmp/out
    sed 's/^/E /' /tmp/err
    echo "$MARK end $name 0"
}

fact() { echo "$1=$2" >>/tmp/facts; }

# Runs the loader, and says its exit code as a fact.
run() {
    what=$1
    shift
    timeout 60 $loader "$@" >>/tmp/out 2>>/tmp/err
    fact "$what" $?
}

opens() { for _ in $(seq "$1"); do : </tmp/present; done; }

case_life() {
    begin life
    run load load /corelet/opensnoop.pack
    opens 20
    run status status opensnoop --json
    opens 20
    run status_again status opensnoop --json
    fact pins "$(find /sys/fs/bpf/corelet/opensnoop -type f | wc -l)"
    run taken load /corelet/opensnoop.pack
    run replace load /corelet/opensnoop.pack --replace
    run status_new status opensnoop --json
    run unload unload opensnoop
    fact folder "$(ls -d /sys/fs/bpf/corelet 2>/dev/null)"
    run again unload opensnoop
    run gone status opensnoop
    end
}

# Two loaders of one name at the same time, ten times: one wins.
case_two() {
    begin two
    both=0
    for _ in $(seq 10); do
        for n in 1 2; do
            (
                timeout 60 $loader load /corelet/opensnoop.pack 2>>/tmp/err
                echo $? >/tmp/rc$n
            ) &
        done
        wait
        case "$(cat /tmp/rc1) $(cat /tmp/rc2)" in
            "0 2" | "2 0" | "0 5" | "5 0") both=$((both + 1)) ;;
            *) fact odd "$(cat /tmp/rc1) $(cat /tmp/rc2)" ;;
        esac
        $loader unload opensnoop 2>>/tmp/err
    done
    fact one_each $both
    end
}

case_no_bpffs() {
    begin no-bpffs
    umount /sys/fs/bpf
    run load load /corelet/opensnoop.pack
    mount -t bpf bpf /sys/fs/bpf
    end
}

# A loader that stands still while events come, and is asked to end: all of them are printed.
case_drain() {
    begin drain
    $loader run /corelet/opensnoop.pack --json >/tmp/out 2>/tmp/err &
    until_true ready
    kill -STOP $!
    # as many as its buffers hold
    opens 50
    kill -TERM $!
    kill -CONT $!
    wait $!
    fact rc $?
    fact printed "$(grep -c '"/tmp/present"' /tmp/out)"
    : >/tmp/out
    end
}

# syslogd hears what is sent to /dev/log.
case_notify() {
    begin notify
    syslogd -n -O /tmp/heard &
    listener=$!
    until_true test -S /dev/log
    NOTIFY_SOCKET=/dev/log WATCHDOG_USEC=1000000 $loader run /corelet/opensnoop.pack --for 3 >/dev/null 2>/tmp/err
    fact rc $?
    kill $listener
    for word in READY=1 WATCHDOG=1 STATUS= STOPPING=1; do
        fact "heard_${word%%=*}" "$(grep -c "$word" /tmp/heard)"
    done
    end
}

case_several() {
    begin several
    $loader run /corelet/opensnoop.pack /corelet/execsnoop.pack --json >/tmp/out 2>/tmp/err &
    until_true ready
    opens 3
    /bin/true
    usleep 300000
    kill -TERM $!
    wait $!
    fact rc $?
    fact opened "$(grep -c '^{"pack":"opensnoop",.*"/tmp/present"' /tmp/out)"
    fact executed "$(grep -c '^{"pack":"execsnoop",.*"/bin/true' /tmp/out)"
    fact untagged "$(grep -v -c -e '^{"pack":"' -e '^{"lost":' /tmp/out)"
    : >/tmp/out
    end
}

# SIGKILL at KILLS moments of a load, a replacement or a run; what status says of it; then what the next start leaves.
case_killed() {
    begin killed
    stale=0 loaded=0 none=0 running=0
    for n in $(seq "$KILLS"); do
        case $((n % 3)) in
            0) set -- load /corelet/opensnoop.pack --name x ;;
            1) set -- run /corelet/opensnoop.pack --name x ;;
            2)
                timeout 60 $loader load /corelet/opensnoop.pack --name x 2>>/tmp/err
                set -- load /corelet/opensnoop.pack --name x --replace
                ;;
        esac
        $loader "$@" >/dev/null 2>/tmp/killed.err &
        usleep $(((n * 7919 + $(od -A n -N 2 -t u2 /dev/urandom)) % 400 * 1000))
        kill -KILL $!
        wait $! 2>/dev/null
        $loader status >/tmp/status 2>>/tmp/err || fact odd "status $?"
        case "$(cat /tmp/status)" in
            *running* | *loading*) running=$((running + 1)) ;;
            *stale*) stale=$((stale + 1)) ;;
            *loaded*) loaded=$((loaded + 1)) ;;
            *) none=$((none + 1)) ;;
        esac
        $loader load /corelet/execsnoop.pack --name y 2>>/tmp/err || fact odd "load $?"
        $loader status >/tmp/status 2>>/tmp/err
        grep -q -e stale -e running -e loading -e '+new' /tmp/status && fact odd "$(tr '\n' ' ' </tmp/status)"
        # what is loaded is whole: a replaced one is never away
        [ $((n % 3)) = 2 ] && ! grep -q '^x: loaded' /tmp/status && fact odd "a gap: $(tr '\n' ' ' </tmp/status)"
        $loader unload x 2>>/tmp/err || fact odd "unload $?"
        $loader unload y 2>>/tmp/err || fact odd "unload $?"
    done
    fact stale $stale
    fact whole $((loaded + none))
    fact living $running
    : >/tmp/err
    end
}

# Probes in tracefs of a loader that was killed, where the kernel shows no PMU for them; those of a living one stay.
case_probes() {
    begin probes
    mount -t tmpfs none /sys/bus/event_source/devices
    for kind in living killed; do
        $loader run /corelet/tcpconnect.pack >/dev/null 2>/tmp/$kind.err &
        eval "$kind=$!"
        until_true grep -q "$READY" /tmp/$kind.err
    done
    kill -KILL "$killed"
    wait "$killed" 2>/dev/null
    fact during "$(grep -c "corelet/p_${killed}_" /sys/kernel/tracing/kprobe_events)"
    fact beside "$(grep -c "corelet/p_${living}_" /sys/kernel/tracing/kprobe_events)"
    run pinned load /corelet/tcpconnect.pack
    umount /sys/bus/event_source/devices
    run next run /corelet/opensnoop.pack --for 1
    : >/tmp/out
    fact killed "$(grep -c "corelet/p_${killed}_" /sys/kernel/tracing/kprobe_events)"
    fact living "$(grep -c "corelet/p_${living}_" /sys/kernel/tracing/kprobe_events)"
    kill -TERM "$living"
    wait "$living"
    end
}

# BusyBox init, in process and mount namespaces of its own, with the inittab that boards/service has.
case_init() {
    begin init
    mkdir -p /etc/corelet /usr/sbin
    cp $loader /usr/sbin/corelet-loader
    cp /corelet/opensnoop.pack /etc/corelet/opensnoop.pack
    grep -v sysinit /corelet/inittab >/etc/inittab
    running() { $loader status opensnoop 2>/dev/null | grep -q 'opensnoop: running'; }
    unshare --pid --fork --mount-proc busybox init >/dev/null 2>&1 &
    started=$!
    until_true running && fact started yes
    first=$(pidof corelet-loader)
    kill -KILL "$first"
    other() { [ -n "$(pidof corelet-loader)" ] && [ "$(pidof corelet-loader)" != "$first" ] && running; }
    until_true other && fact respawned yes
    # with it goes all that it started
    kill -KILL $(cat /proc/$started/task/$started/children)
    wait $started 2>/dev/null
    # what the killed one left is removed by the next
    run next run /corelet/opensnoop.pack --for 1
    : >/tmp/out
    end
}

# What a process may still do, by the kernel's own account.
privileges() {
    sed -n 's/^\(CapInh\|CapPrm\|CapEff\|CapBnd\|CapAmb\|NoNewPrivs\|Seccomp\):[[:space:]]*/\1=/p' "/proc/$1/status" |
        tr '\n' ' '
}

# The loader in a run, what it keeps, and that it ends well: WHAT and its arguments.
keeps() {
    what=$1
    shift
    : >/tmp/err
    $loader run "$@" >/tmp/out 2>/tmp/err &
    until_true ready
    # events are printed only when it has given up the rest
    opens 40
    until_true grep -q '"/tmp/present"' /tmp/out /tmp/log
    fact "$what" "$(privileges $!)"
    kill -TERM $!
    wait $!
    fact "$what"_rc $?
    cat /tmp/err >>/tmp/said
    : >/tmp/err
}

case_privileges() {
    begin privileges
    : >/tmp/said
    : >/tmp/log
    keeps plain /corelet/opensnoop.pack --json
    fact plain_opened "$(grep -c '"/tmp/present"' /tmp/out)"
    keeps kept /corelet/opensnoop.pack --json --keep-privileges
    # each file has a few events; the last is one that was made by then
    keeps rotate /corelet/opensnoop.pack --json --output /tmp/log --rotate 2K
    grep -q '"/tmp/present"' /tmp/log.1 && fact rotated yes
    rm -f /tmp/log.1
    : >/tmp/log
    keeps named /corelet/opensnoop.pack --json --name x
    fact folder "$(ls -d /sys/fs/bpf/corelet 2>/dev/null)"
    # probes in tracefs, which are written away at the end
    mount -t tmpfs none /sys/bus/event_source/devices
    : >/tmp/err
    $loader run /corelet/tcpconnect.pack >/dev/null 2>/tmp/err &
    running=$!
    until_true ready
    confined() { grep -q '^Seccomp:.*2' "/proc/$running/status"; }
    until_true confined
    fact probes "$(privileges $running)"
    kill -TERM $running
    wait $running
    umount /sys/bus/event_source/devices
    # a socket that nobody listens on yet is connected when there is a filter
    rm -f /dev/log
    : >/tmp/err
    $loader run /corelet/opensnoop.pack --json --output syslog >/dev/null 2>/tmp/err &
    running=$!
    until_true ready
    until_true confined
    syslogd -n -O /tmp/heard &
    listener=$!
    until_true test -S /dev/log
    opens 3
    until_true grep -q '"/tmp/present"' /tmp/heard && fact heard yes
    fact syslog "$(privileges $running)"
    kill -TERM $running
    wait $running
    fact syslog_rc $?
    kill $listener
    cat /tmp/said >>/tmp/err
    : >/tmp/out
    end
}

# Loader and pack in one file, under its own name; /proc is not there for the first.
case_tool() {
    begin tool
    (
        loader=/corelet/opens
        run verify verify
    )
    unshare -m sh -c 'umount -l /proc && /corelet/opens verify' 2>>/tmp/err
    fact without_proc $?
    # the same programs from a file, to compare the memory with
    for with in "$loader run /corelet/opensnoop.pack" /corelet/opens; do
        : >/tmp/err
        $with --json >/tmp/out 2>/tmp/err &
        until_true ready
        opens 3
        usleep 300000
        beside=$memory
        memory=$(sed -n 's/^Rss: *\([0-9]*\) kB/\1/p' /proc/$!/smaps_rollup)
        kill -TERM $!
        wait $!
    done
    fact rc $?
    fact memory "$memory"
    fact beside "$beside"
    fact opened "$(grep -c '"/tmp/present"' /tmp/out)"
    : >/tmp/out
    (
        loader=/corelet/opens
        run load load
        fact loaded "$(ls /sys/fs/bpf/corelet)"
        run status status
        run unload unload
        run other run /corelet/opensnoop.pack
    )
    : >/tmp/out
    end
}

# In a user namespace: what a bpffs delegates is loaded, what it does not is refused by name, and without a token all is.
case_token() {
    begin token
    mkdir -p /tmp/token
    loader=/corelet/corelet-token
    tool="/tmp/token /corelet/corelet-loader verify /corelet/opensnoop.pack"
    with="--token /tmp/token"
    run all any any any any $tool $with
    run none any any any any $tool
    # of maps: hash and array, of programs: kprobe alone, of commands: all but one
    run maps any 0x6 any any $tool $with
    run progs any any 0x4 any $tool $with
    run cmds 0xffffffffffffffdf any any any $tool $with
    run nothing - - - - $tool $with
    run folder any any any any $tool --token /tmp
    loader=/corelet/corelet-loader
    run outside verify /corelet/opensnoop.pack --token /sys/fs/bpf
    : >/tmp/out
    end
}

# A kernel without links to perf events: refused by name, and run does it.
case_old() {
    begin old
    run load load /corelet/opensnoop.pack
    run run run /corelet/opensnoop.pack --name opensnoop --for 1
    end
}

# Events as fast as they come for SOAK seconds, with the loader stopped now and then so that some are lost: what was printed and
# what was lost is what there was, and the loader's memory is what it was.
case_soak() {
    begin soak
    cat >/tmp/work <<'WORK'
seconds=$1 n=0
end=$(($(cut -d. -f1 /proc/uptime) + seconds))
until [ "$(cut -d. -f1 /proc/uptime)" -ge $end ]; do
    i=0
    while [ $i -lt 500 ]; do : </tmp/present; i=$((i + 1)); done
    n=$((n + 500))
done
# the kernel says that it lost some when it has room again
usleep 1500000
: </tmp/present
# with the opens of this file and of the next
echo $((n + 3)) >/tmp/made
WORK
    mkfifo /tmp/go
    sh -c 'read -r _ </tmp/go; . /tmp/work' work "$SOAK" &
    worker=$!
    $loader run /corelet/opensnoop.pack --name soak --set "targ_pid=$worker" >>/tmp/events 2>/tmp/err &
    soaked=$!
    until_true ready
    memory() { sed -n 's/^\(Rss\|Anonymous\): *\([0-9]*\) kB/\1=\2/p' /proc/$soaked/smaps_rollup | tr '\n' ' '; }
    echo go >/tmp/go
    sleep 5
    fact memory_start "$(memory)"
    while kill -0 $worker 2>/dev/null; do
        usleep 700000
        kill -STOP $soaked
        usleep 300000
        kill -CONT $soaked
        : >/tmp/events
    done
    fact memory_end "$(memory)"
    $loader status soak --json >>/tmp/out 2>>/tmp/err
    kill -TERM $soaked
    wait $soaked
    fact rc $?
    fact made "$(cat /tmp/made)"
    end
}
