#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# The walk through the demo, as a user would type it: start the server, make it leak threads, look
# at them with loiter. Checks what it shows, and exits with 1 when that is not so.
#
# Environment: B, the build directory (default build). Needs root, for loiter.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

B=${B:-build}
DEADLINE_S=30 # for each thing waited for
server_pid=
scratch=$(mktemp -d) || exit 1

cleanup() {
	if [ "$server_pid" ]; then
		kill "$server_pid" 2>/dev/null
		wait "$server_pid" 2>/dev/null
	fi
	rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

die() {
	echo "demo: $*" >&2
	exit 1
}

say() {
	printf '\n# %s\n' "$*"
}

# Shows the request as it is typed, and makes it; the server's answer stands below.
request() {
	echo "\$ curl 'http://$address$1'"
	curl -sS -w '\n' "http://$address$1" || die "no answer from the server"
}

# Runs the command until it succeeds. Between two tries it waits a little, for the machine's sake.
until_true() {
	local what=$1 end=$((SECONDS + DEADLINE_S))

	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || die "$what: not within $DEADLINE_S s"
		sleep 0.05
	done
}

# Prints the number of threads that a text report groups as blocked in wait_for_cancel, with its
# file, line and offset shown.
leaked_threads() {
	awk '
		/^[0-9]+ threads? \[/ { count = /\[cond wait[],]/ ? $1 : ""; wanted = 0 }
		wanted && count != "" && $1 ~ /demo\/steps\.c:[0-9]+$/ && $2 ~ /^\+0x[0-9a-f]+$/ {
			print count
			exit
		}
		{ wanted = /^[ \t]+wait_for_cancel$/ }
		count != "" && NF == 0 { count = "" }' "$1"
}

server_is_ready() {
	kill -0 "$server_pid" 2>/dev/null || die "the server ended: $(cat "$scratch/log")"
	grep -q ' ready$' "$scratch/log"
}

# A thread that was only just started may still be on its way to its wait.
dump_shows() {
	"$B/loiter" dump -p "$server_pid" >"$scratch/report" 2>"$scratch/errors" ||
		die "loiter dump failed: $(cat "$scratch/errors")"
	[ "$(leaked_threads "$scratch/report")" = "$1" ]
}

show_dump() {
	local want=$1

	until_true "$want threads in wait_for_cancel" dump_shows "$want"
	echo "\$ sudo $B/loiter dump -p $server_pid"
	cat "$scratch/errors" >&2
	cat "$scratch/report"
}

find_flamegraph() {
	local file

	command -v flamegraph.pl && return 0
	# Debian's libdevel-nytprof-perl has it among its modules.
	for file in /usr/share/perl5/Devel/NYTProf/flamegraph.pl \
		$(dpkg -L libdevel-nytprof-perl 2>/dev/null | grep '/flamegraph\.pl$'); do
		[ -f "$file" ] && echo "$file" && return 0
	done
	return 1
}

draw_flame_graph() {
	local flamegraph svg=$B/demo-flamegraph.svg

	if ! flamegraph=$(find_flamegraph); then
		say "No flamegraph.pl here (Debian: libdevel-nytprof-perl): no flame graph."
		return 0
	fi
	say "The same as a flame graph:"
	echo "\$ sudo $B/loiter dump -p $server_pid -f folded | flamegraph.pl --countname threads > $svg"
	"$B/loiter" dump -p "$server_pid" -f folded >"$scratch/folded" ||
		die "loiter dump -f folded failed"
	grep -q ';worker;wait_for_cancel;\[cond wait\] 15$' "$scratch/folded" ||
		die "the folded report lacks the 15 threads: $(cat "$scratch/folded")"
	perl "$flamegraph" --title "demo-server: every thread" --countname threads \
		<"$scratch/folded" >"$scratch/svg" || die "flamegraph.pl failed"
	grep -q wait_for_cancel "$scratch/svg" || die "the flame graph lacks wait_for_cancel"
	mv "$scratch/svg" "$svg"
	echo "The flame graph is $svg: open it in a browser."
}

[ "$(id -u)" = 0 ] || die "loiter needs root: sudo make demo"
for program in loiter demo-server; do
	[ -x "$B/$program" ] || die "$B/$program is not built: make demo"
done
command -v curl >/dev/null || die "curl is missing: make deps"

say "A server that can be made ill. It listens on a port that was free:"
: >"$scratch/log"
echo "\$ $B/demo-server --listen 127.0.0.1:0 &"
"$B/demo-server" --listen 127.0.0.1:0 2>"$scratch/log" &
server_pid=$!
until_true "a line 'ready' in the server's log" server_is_ready
cat "$scratch/log"
address=$(sed -n 's/.* listening on //p' "$scratch/log")

say "Step 5: each request starts 5 threads that wait for ever. Two requests:"
for path in /goto?step=5 / /; do
	request "$path"
done

say "Where are they? Every thread of the server, which is not stopped:"
show_dump 10

say "One more request, and there are 5 more in the same place:"
request /
show_dump 15

draw_flame_graph

say "It was all as expected: 10 threads, then 15. The server is ended."
