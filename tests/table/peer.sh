# The static libbpf loader, after ours has had its run: behind this text come lines `peer LABEL OBJECT BTF WORD…`. Where ours did
# not become ready, its verdict without attaching is asked for, and libbpf's on each program alone.
# Where stacks begin within their page decides how many pages they take.
echo 0 >/proc/sys/kernel/randomize_va_space

# Bytes of the kernel's memory: what it counts of maps and programs, and the buffers of events that are mapped.
loaded() {
    awk '/^memlock:/ { n += $2 }
        /perf_event/ { ring = 1 }
        /^Size:/ { n += ring * $2 * 1024; ring = 0 }
        END { print "kernel_bytes=" n }' "/proc/$1/fdinfo/"* "/proc/$1/smaps"
}

peer() {
    label=$1 each=
    shift
    echo "$MARK begin $label.libbpf"
    if ! grep -q "$READY" "$folder/err" 2>/dev/null; then
        each=1
        [ -e "/corelet/$label.pack" ] && {
            /corelet/corelet-loader verify "/corelet/$label.pack" --json --memory 2>&1 | sed 's/^/E /'
        }
    fi
    rm -f "$folder/err"
    /corelet/libbpf "$@" >out 2>said
    code=$?
    sed 's/^/F /' out
    sed 's/^/E libbpf: /' said
    if [ -n "$each" ]; then
        /corelet/libbpf --each "$@" 2>/dev/null | grep '^[a-z]*\.' | sed 's/^/F each./'
    fi
    echo "$MARK end $label.libbpf $code"
}
mkdir -p "$folder"
cd /tmp || exit 1
