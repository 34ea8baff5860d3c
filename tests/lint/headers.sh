#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# Every header compiles alone: it includes what it names. Those of bpf/ but the contract are for
# the BPF target, behind the kernel's types, which no header can include for another.
#
# usage: headers.sh [DIR]; environment: CC, HOST_FLAGS, CLANG, BPF_FLAGS as make has them
set -uo pipefail
cd "${1:-.}" || exit 1

status=0
compile() {
	local header=$1

	shift
	# Included rather than compiled itself, so that no warning is about its being the main file.
	echo "#include \"$header\"" | "$@" -fsyntax-only -x c - || {
		echo "$header: does not compile alone"
		status=1
	}
}

while read -r header; do
	case $header in
	bpf/wire.h | user/* | demo/* | tests/*)
		# shellcheck disable=SC2086 # flags are words
		compile "$header" "${CC:-cc}" ${HOST_FLAGS:-} -I.
		;;
	bpf/*)
		# shellcheck disable=SC2086
		compile "$header" "${CLANG:-clang}" ${BPF_FLAGS:-} -include vmlinux.h -I.
		;;
	esac
done < <(find user bpf demo tests -name '*.h' 2>/dev/null | sort)
exit $status
