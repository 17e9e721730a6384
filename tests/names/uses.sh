# Behind driver.sh: maps of struct_ops in use, judged by what the kernel does and not by the programs' counters alone.

# What the scheduler is while tasks run, and when its loader has ended.
scheduler() {
    echo "$MARK begin sched"
    start /corelet/sched.pack
    echo "F state=$(cat /sys/kernel/sched_ext/state)"
    echo "F ops=$(cat /sys/kernel/sched_ext/root/ops 2>/dev/null)"
    dd if=/dev/zero of=/dev/null bs=1 count=100 2>/dev/null
    for n in 1 2 3 4 5 6 7 8 9 10; do usleep 1000; done
    show
    end=$rc
    tries=0
    until [ "$(cat /sys/kernel/sched_ext/state)" = disabled ] || [ $tries -ge 40 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
    echo "F after=$(cat /sys/kernel/sched_ext/state)"
    echo "$MARK end sched $end"
}

# reports LABEL: five of a device of /dev/uhid, and how its driver sees them.
reports() {
    cat /dev/hidraw0 >/tmp/raw &
    reader=$!
    usleep 100000
    for n in 1 2 3; do cat /corelet/uhid-55 >&5; done
    for n in 1 2; do cat /corelet/uhid-66 >&5; done
    usleep 200000
    kill $reader
    wait $reader 2>/dev/null
    echo "F $1=$(od -An -v -tx1 /tmp/raw | tr -d ' \n')"
}

device() {
    echo "$MARK begin hid"
    exec 5<>/dev/uhid
    cat /corelet/uhid-create >&5
    tries=0
    until [ -e /dev/hidraw0 ] || [ $tries -ge 40 ]; do
        tries=$((tries + 1))
        usleep 50000
    done
    reports before
    start /corelet/hid.pack
    reports during
    show
    end=$rc
    reports after
    exec 5>&-
    echo "$MARK end hid $end"
}
