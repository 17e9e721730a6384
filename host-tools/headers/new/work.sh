# What happens on the board while NAME runs: a process whose name is known.
usleep 200000
/bin/true
usleep 200000
