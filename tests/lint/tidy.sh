#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# clang-tidy, by the settings of .clang-tidy, over the C sources; one process a file, as many at a
# time as there are CPUs. Prints what it finds of each file in one piece.
#
# usage: tidy.sh [DIR]; environment: HOST_FLAGS as make has them
set -uo pipefail
cd "${1:-.}" || exit 1

# Tests do odd things on purpose, and the sanitizers watch them: the analyzer is for what is shipped.
tidy_one() {
	local found options=()

	[[ $1 == tests/* ]] && options=(--checks=-clang-analyzer-*,-bugprone-suspicious-missing-comma)
	# Its count of suppressed warnings goes to standard error, and is of no use.
	# shellcheck disable=SC2086 # flags are words
	found=$(clang-tidy --quiet --warnings-as-errors='*' "${options[@]}" "$1" -- \
		${HOST_FLAGS:-} -w -I. -Itests/unit 2>/dev/null) || {
		echo "${found:-$1: clang-tidy failed}"
		return 1
	}
}
export -f tidy_one

find user demo tests -name '*.c' -print0 2>/dev/null | sort -z |
	xargs -0 -r -n 1 -P "$(nproc)" bash -c 'tidy_one "$1"' tidy
