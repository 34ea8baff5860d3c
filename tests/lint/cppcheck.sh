#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# cppcheck over the C sources, but for the tests' workloads, which do odd things on purpose.
# Suppressed by name: memleak, which does not know the cleanup attribute, and legacyUninitvar, which
# takes a member's name in an initializer for a variable.
#
# usage: cppcheck.sh [DIR]
set -uo pipefail
cd "${1:-.}" || exit 1

dirs=()
for dir in user demo tests/unit tests/fuzz tests/bpf; do
	[ -d "$dir" ] && dirs+=("$dir")
done
cppcheck --quiet --error-exitcode=1 -j "$(nproc)" --std=c11 \
	--enable=warning,performance,portability --template='{file}:{line}: {message} [{id}]' \
	-D_GNU_SOURCE -D__x86_64__ -Iuser -I. \
	--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unknownMacro \
	--suppress=memleak --suppress=legacyUninitvar "${dirs[@]}"
