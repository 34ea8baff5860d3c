#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# Shows that each check of lint finds what it is there to find, and says nothing of good code:
# writes small trees and runs the checks on them.
#
# usage: test_lint.sh; prints "ok NAME" or "not ok NAME: why", exits 1 when any is not ok
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(cd "$here/../.." && pwd) || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0
SPDX='SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0'

# The checks see only the tree: its own headers, the house's settings.
export HOST_FLAGS="-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Iuser"

result() {
	local name=$1 why=$2

	if [ "$why" ]; then
		echo "not ok $name: $why"
		failures=$((failures + 1))
	else
		echo "ok $name"
	fi
}

# A tree that every check likes.
good_tree() {
	rm -rf "$work/tree"
	mkdir -p "$work/tree"/{bpf,demo,tests/unit} "$work/tree"/user/{base,capture,model,report,cli}
	cp "$root/.clang-format" "$root/.clang-tidy" "$work/tree/"
	put user/base/thing.h "#ifndef BASE_THING_H" "#define BASE_THING_H" "" \
		"#include <stddef.h>" "" "size_t thing_size(const char *text);" "" "#endif"
	put user/base/thing.c '#include "base/thing.h"' "" "#include <string.h>" "" \
		"/* Not strcpy(): that is banned, but for comments. */" \
		"size_t thing_size(const char *text)" "{" \
		"	return strlen(text) + sizeof(\"sprintf(\");" "}"
	put user/report/text.c '#include "base/thing.h"' "" "size_t report_size(void);" "" \
		"size_t report_size(void)" "{" '	return thing_size("text");' "}"
	put bpf/few.bpf.c '#include "vmlinux.h"' "" 'SEC("iter/task")' \
		"int on_task(void *ctx)" "{" "	return ctx != 0;" "}"
}

# Writes the lines to the file of the tree, below its licence line.
put() {
	local file=$work/tree/$1

	shift
	mkdir -p "$(dirname "$file")"
	{
		echo "/* $SPDX */"
		printf '%s\n' "$@"
	} >"$file"
}

# Runs check $2 on the tree: it must fail and say $3 (a regular expression).
expect_fault() {
	local name=$1 check=$2 want=$3 output

	if output=$("$here/$check" "$work/tree" 2>&1); then
		result "$name" "not found by $check"
	elif ! grep -qE "$want" <<<"$output"; then
		result "$name" "$check says: $output"
	else
		result "$name" ""
	fi
	good_tree
}

expect_silence() {
	local check=$1 output

	if output=$("$here/$check" "$work/tree" 2>&1) && [ -z "$output" ]; then
		result "$check on good code" ""
	else
		result "$check on good code" "$output"
	fi
}

good_tree
for check in rules.py headers.sh format.sh cppcheck.sh tidy.sh; do
	expect_silence $check
done

# -- rules.py --
rule() {
	expect_fault "$1" rules.py "$2"
}

put user/base/up.c '#include "model/model.h"'
rule "include to the right" "base/up.c:2: .*to the left only"
put user/report/up.c '#include "cli/options.h"'
rule "report includes cli" "to the left only"
put user/lounge/x.c 'int x;'
rule "a room that is none" "no room"
put user/base/up.c '#include "bpf/wire.h"'
rule "base includes the contract" "base/ knows nothing"
put user/capture/x.c '#include "bpf/task.h"'
rule "user space includes BPF code" "the contract is bpf/wire.h"
put user/proc/x.c '#include <bpf/libbpf.h>'
rule "libbpf outside capture" "only capture/"
put user/capture/probe.c '#include "loiter.skel.h"'
rule "skeleton outside the loader" "only user/capture/loader.c"
put user/cli/x.c '#include "profile.pb-c.h"'
rule "protocol buffers outside report" "only report/ knows"
put bpf/x.bpf.c '#include "base/vec.h"'
rule "BPF includes user space" "knows nothing of user space"
put demo/x.c '#include "base/vec.h"'
rule "demo includes loiter" "shares no code"
for header in fcntl.h unistd.h sys/stat.h dirent.h; do
	put user/model/x.c "#include <$header>"
	rule "model includes $header" "does no I/O"
done
put user/report/x.c '#include "base/clock.h"'
rule "report includes the clock" "reads no clock"
put user/report/x.c 'long x(void) { return time(0); }'
rule "report reads the clock" "time\(\) report/ reads no clock"
for call in strcpy strcat sprintf gets atoi atol strtol strtoull system popen alloca strtok exit \
	abort assert printf ptrace; do
	put user/proc/x.c "void x(char *p) { $call(p); }"
	rule "$call in user/" "x.c:2: $call\(\)"
done
put tests/unit/x.c 'void x(char *p) { strcpy(p, p); }'
rule "strcpy in tests/" "strcpy\(\)"
put demo/x.c 'int x(char *p) { return atoi(p); }'
rule "atoi in demo/" "atoi\(\)"
put user/symbolize/x.c 'int x(char *p) { return open(p, 0); }'
rule "symbolize opens a file" "through proc/"
put user/base/x.h "#ifndef X_H" "#define X_H" "#endif"
rule "guard" "guard is to be BASE_X_H"
put bpf/x.bpf.c 'SEC("tp_btf/sched_switch")' "int BPF_PROG(on_a_name_too_long, bool x)" "{" "}"
rule "long BPF program name" "'on_a_name_too_long' is longer"
put bpf/x.bpf.c "struct {" '} a_map_name_too_long SEC(".maps");'
rule "long BPF map name" "'a_map_name_too_long' is longer"
put bpf/x.bpf.c 'SEC("perf_event")' "int on_a_name_of_16_(void *ctx)" "{" "}"
rule "BPF name of 16 characters" "'on_a_name_of_16_' is longer"
put bpf/x.bpf.c '#include "bpf/arch_x86_64.h"'
rule "an ISA's file by its name" "arch.h chooses the ISA"
put bpf/x.h "#ifndef BPF_X_H" "#define BPF_X_H" '#define X(regs) ((regs)->orig_ax)' "#endif"
rule "a register outside arch" "orig_ax' is a fact of an ISA"
put bpf/x.h "#ifndef BPF_X_H" "#define BPF_X_H" '#define X(regs) REGS_READ(regs, sp)' "#endif"
rule "a register read outside arch" "sp' is a fact of an ISA"
put user/collect/x.c 'int x = __NR_futex;'
rule "a system call's number outside arch" "__NR_futex' is a fact of an ISA"
for sink in 'a.innerHTML = b' 'eval(b)' 'fetch(b)' 'a = "http://b"'; do
	put user/report/page/x.js "$sink;"
	rule "'$sink' in a page" "x.js:2: .*is not for a page"
done
echo 'int x;' >"$work/tree/user/base/x.c"
rule "no licence line" "no line 'SPDX"
put user/base/x.c "$(yes 'int x;' | head -n 700)"
rule "a file of 701 lines" "701 lines"
rm -rf "${work:?}/tree/"*
rule "nothing to check" "no sources"

# -- the other checks --
put user/base/x.h "#ifndef BASE_X_H" "#define BASE_X_H" "size_t x(void);" "#endif"
expect_fault "header that needs another" headers.sh "x.h: does not compile alone"
put user/base/x.c "int x( void );"
if "$here/format.sh" "$work/tree" 2>&1 | grep -q 'not checked'; then
	echo "skip format: another version of clang-format"
	good_tree
else
	expect_fault "format" format.sh "clang-format"
fi
put user/base/x.c "int x(int *p);" "int x(int *p)" "{" "	if (!p)" "		return *p;" \
	"	return 0;" "}"
expect_fault "null dereference, tidy" tidy.sh "clang-analyzer-core.NullDereference"
put user/base/x.c "int x(void);" "int x(void)" "{" "	int a[2] = { 0, 1 };" "	return a[2];" "}"
expect_fault "index out of bounds, cppcheck" cppcheck.sh "arrayIndexOutOfBounds"
put user/base/x.c "int x(void);" "int x(void)" "{" "	return missing;" "}"
expect_fault "code that does not compile, tidy" tidy.sh "undeclared"

[ $failures = 0 ] || {
	echo "$failures checks of lint do not find what they should"
	exit 1
}
