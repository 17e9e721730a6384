# Boots the board with NAME's pack and looks for the event of the process in work.sh.
set -eu
events=$($CORELET boot --board "$BOARD" --pack NAME.pack --workload work.sh ${LOADER:+--loader "$LOADER"} -- --json)
echo "$events"
if echo "$events" | grep -q '"comm":"true"'; then
	echo "NAME on $BOARD: passed"
else
	echo "NAME on $BOARD: no event of /bin/true" >&2
	exit 1
fi
