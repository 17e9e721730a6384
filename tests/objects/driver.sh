# Runs on the board under busybox's sh: each object by our loader and by libbpf's, loaded and closed; between two marks what came of
# it, for tests/objects/beside.rs.
cd /tmp || exit 1

# What the kernel has of BPF that nobody's process holds: it must stay as it is.
here() {
    /corelet/libbpf | tr '\n' ' '
}

# Descriptors that a process leaves open close behind its end.
before=$(here)
left() {
    tries=0
    until [ "$(here)" = "$before" ] || [ $tries -ge 20 ]; do
        tries=$((tries + 1))
        usleep 100000
    done
    [ "$(here)" = "$before" ] && echo "F left=0" || echo "F left=$(here)"
}

# ours NAME
ours() {
    echo "$MARK begin $1.corelet"
    timeout 120 /corelet/corelet-loader verify "/corelet/$1.pack" >out 2>err
    rc=$?
    sed 's/^/E /' out err
    left
    echo "$MARK end $1.corelet $rc"
}

# theirs NAME [WORD]…
theirs() {
    name=$1
    shift
    echo "$MARK begin $name.libbpf"
    timeout 240 /corelet/libbpf "/corelet/$name.bpf.o" "$@" >out 2>err
    rc=$?
    # libbpf pins what is to be pinned by name as soon as it is loaded
    rm -rf /sys/fs/bpf/*
    sed 's/^/F /' out
    head -n 60 err | sed 's/^/E /'
    left
    echo "$MARK end $name.libbpf $rc"
}
