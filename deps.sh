#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
#
# What loiter needs from the distribution, and how to get it.
#
#   deps.sh check SET...     names what is missing of the sets; exit status 1 when something is
#   deps.sh install SET...   installs that (root; apt-get on Debian and Ubuntu, dnf on Fedora)
#   deps.sh bpftool, perf    prints the path of one that works here
#
# Sets: build, demo (build and more), test (demo and more), bench (test and more: what loiter is
# compared with), lint (build and more), all (but bench).
# Everything is looked for as the build would find it, not in the package database: what was
# installed by other means counts, and with nothing missing neither root nor network is needed.
set -u
PATH=$PATH:/usr/sbin:/sbin # where bpftool and the servers are, and users' paths are not

# set | how to find it (any one word of these) | Debian, Ubuntu | Fedora
needs() {
	cat <<'TABLE'
build | cmd:cc cmd:gcc | gcc | gcc
build | hdr:stdio.h | libc6-dev | glibc-devel
build | cmd:make | make | make
build | cmd:clang cmd:clang-19 cmd:clang-18 cmd:clang-17 cmd:clang-16 cmd:clang-15 cmd:clang-14 | clang | clang
build | fn:find_bpftool | @bpftool | bpftool
build | fn:has_libbpf | libbpf-dev | libbpf-devel
build | hdr:elfutils/libdwfl.h | libdw-dev | elfutils-devel
build | hdr:libelf.h | libelf-dev | elfutils-libelf-devel
build | hdr:zlib.h | zlib1g-dev | zlib-devel
build | hdr:jansson.h | libjansson-dev | jansson-devel
build | hdr:protobuf-c/protobuf-c.h | libprotobuf-c-dev | protobuf-c-devel
build | cmd:protoc-c | protobuf-c-compiler | protobuf-c-compiler
build | hdr:libiberty/demangle.h | libiberty-dev | binutils-devel
build | hdr:microhttpd.h | libmicrohttpd-dev | libmicrohttpd-devel
demo | cmd:curl | curl | curl
test | hdr:cmocka.h | libcmocka-dev | libcmocka-devel
test | cmd:g++ | g++ | gcc-c++
test | cmd:strip | binutils | binutils
test | cmd:unshare | util-linux | util-linux
test | cmd:ps | procps | procps-ng
test | cmd:eu-stack | elfutils | elfutils
test | cmd:gdb | gdb | gdb
test | cmd:valgrind | valgrind | valgrind
test | cmd:python3 | python3 | python3
test | cmd:musl-gcc | musl-tools | musl-gcc
test | cmd:redis-server | redis-server | redis
test | cmd:nginx | nginx-light | nginx
test | cmd:memcached | memcached | memcached
test | cmd:postgres file:/usr/lib/postgresql/*/bin/postgres | postgresql | postgresql-server
test | cmd:pgbench file:/usr/lib/postgresql/*/bin/pgbench | postgresql | postgresql-contrib
test | cmd:mariadbd | mariadb-server | mariadb-server
test | cmd:mariadb-slap | mariadb-client | mariadb
test | cmd:luajit | luajit | luajit
test | fn:find_perf | @perf | perf
test | cmd:flamegraph.pl file:/usr/share/perl5/Devel/NYTProf/flamegraph.pl | libdevel-nytprof-perl | perl-Devel-NYTProf
test | cmd:offcputime cmd:bpf-offcputime | libbpf-tools | libbpf-tools
test | cmd:go | golang-go | golang
test | cmd:chromium cmd:chromium-browser cmd:google-chrome fn:has_no_browsers | chromium | chromium
test | file:/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a file:/usr/lib*/clang/*/lib/*/libclang_rt.fuzzer*.a | libclang-rt-dev | compiler-rt
test | file:/usr/lib/gcc/*/*/libasan.so | gcc | libasan
test | file:/usr/lib/gcc/*/*/libubsan.so | gcc | libubsan
test | cmd:qemu-system-x86_64 | qemu-system-x86 | qemu-system-x86-core
test | cmd:apt-get | apt | apt
test | cmd:dpkg-deb | dpkg | dpkg
test | file:/usr/share/keyrings/debian-archive-keyring.gpg | debian-archive-keyring | debian-keyring
test | cmd:zstd | zstd | zstd
bench | cmd:offcputime cmd:bpf-offcputime | libbpf-tools | libbpf-tools
bench | cmd:chrt | util-linux | util-linux
lint | cmd:python3 | python3 | python3
lint | cmd:clang-format | clang-format | clang-tools-extra
lint | cmd:clang-tidy | clang-tidy | clang-tools-extra
lint | cmd:cppcheck | cppcheck | cppcheck
TABLE
}

# Ubuntu's linux-tools-common has wrappers that fail unless tools for the running kernel are there
# as well; those of any kernel do for us.
find_kernel_tool() {
	local tool

	for tool in "$(command -v "$1")" \
		$(printf '%s\n' /usr/lib/linux-tools*/"$1" /usr/lib/linux-tools/*/"$1" | sort -rV); do
		[ -x "$tool" ] && "$tool" version >/dev/null 2>&1 && echo "$tool" && return 0
	done
	return 1
}

find_bpftool() {
	find_kernel_tool bpftool
}

find_perf() {
	find_kernel_tool perf
}

# Ubuntu has browsers as snaps only; there the tests do without.
has_no_browsers() {
	grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null
}

# Prints the path of header $1 that a compiler would take.
find_header() {
	local dir

	for dir in /usr/local/include /usr/include/*-linux-gnu /usr/include; do
		[ -e "$dir/$1" ] && echo "$dir/$1" && return 0
	done
	return 1
}

# Ubuntu 22.04 has libbpf 0.5, which does not say its version yet.
has_libbpf() {
	local version

	version=$(find_header bpf/libbpf_version.h) &&
		grep -q '^#define LIBBPF_MAJOR_VERSION [1-9]' "$version"
}

explain_libbpf() {
	has_libbpf || ! find_header bpf/libbpf.h >/dev/null ||
		echo "libbpf 1.0 or later is needed, and the one that is installed is older. Where the" \
			"distribution has no other: https://github.com/libbpf/libbpf" >&2
}

found() {
	local kind=${1%%:*} what=${1#*:}

	case $kind in
	cmd) command -v "$what" >/dev/null ;;
	fn) "$what" >/dev/null ;;
	file) compgen -G "$what" >/dev/null ;;
	hdr) find_header "$what" >/dev/null ;;
	esac
}

sets_of() {
	case $1 in
	build) echo build ;;
	demo) echo build demo ;;
	test) echo build demo test ;;
	bench) echo build demo test bench ;;
	lint) echo build lint ;;
	all) echo build demo test lint ;;
	*)
		echo "deps.sh: '$1' is none of build, demo, test, bench, lint, all" >&2
		return 1
		;;
	esac
}

# Prints a line "debian | fedora" for each need of the given sets that is not met.
missing() {
	local wanted=" $* " set probes debian fedora probe ok

	while IFS='|' read -r set probes debian fedora; do
		[[ $wanted == *" ${set// /} "* ]] || continue
		ok=
		for probe in $probes; do
			found "$probe" && ok=1 && break
		done
		[ "$ok" ] || echo "${debian// /}|${fedora// /}"
	done < <(needs)
}

package_manager() {
	if command -v apt-get >/dev/null && [ -e /etc/debian_version ]; then
		echo apt
	elif command -v dnf >/dev/null && [ -e /etc/fedora-release ]; then
		echo dnf
	fi
}

# Reads lines "debian|fedora", prints the packages of this distribution, each once.
packages_for() {
	local manager=$1 debian fedora

	while IFS='|' read -r debian fedora; do
		if [ "$manager" = dnf ]; then
			echo "$fedora"
		elif [ "$debian" = @perf ]; then
			# Ubuntu has it among the tools of its kernels.
			apt-cache policy linux-perf | grep -q 'Candidate: [^(]' && echo linux-perf ||
				printf '%s\n' linux-tools-common linux-tools-generic
		elif [ "$debian" != @bpftool ]; then
			echo "$debian"
		elif [ "$manager" = apt ] && ! apt-cache policy bpftool | grep -q 'Candidate: [^(]'; then
			# Ubuntu before 25.04 has no such package.
			printf '%s\n' linux-tools-common linux-tools-generic
		else
			echo bpftool
		fi
	done | sort -u
}

# The servers are for tests, which start their own: what their packages started is ended again.
end_services() {
	local package

	[ -d /run/systemd/system ] || return 0
	for package; do
		case $package in
		redis | redis-server | memcached | nginx | postgresql) ;;
		mariadb-server) package=mariadb ;;
		nginx-light) package=nginx ;;
		*) continue ;;
		esac
		echo "deps: stopping and disabling the service $package, which came with its package"
		systemctl --quiet disable --now "$package.service" || true
	done
}

install_apt() {
	local options=(-y --no-install-recommends)

	export DEBIAN_FRONTEND=noninteractive
	# A fresh image has no package lists at all, an old one has lists of packages long gone.
	apt-get install "${options[@]}" "$@" && return 0
	echo "deps: trying again with fresh package lists: apt-get update"
	apt-get update && apt-get install "${options[@]}" "$@"
}

install_missing() {
	local sets=$1 manager list packages

	list=$(missing $sets)
	[ "$list" ] || return 0
	manager=$(package_manager)
	if [ "$manager" = apt ] && ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null &&
		[ "$(id -u)" = 0 ]; then
		echo "deps: no package lists yet: apt-get update"
		apt-get update || return 1
	fi
	mapfile -t packages < <(packages_for "$manager" <<<"$list")
	if [ -z "$manager" ]; then
		echo "deps: neither Debian, Ubuntu nor Fedora; please install (names as in Debian):" \
			"${packages[*]}" >&2
		return 1
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "deps: missing: ${packages[*]}" >&2
		echo "deps: installing needs root: sudo make deps" >&2
		return 1
	fi
	echo "deps: installing with $manager: ${packages[*]}"
	case $manager in
	apt) install_apt "${packages[@]}" ;;
	dnf) dnf -y --setopt=install_weak_deps=False install "${packages[@]}" ;;
	esac || return 1
	end_services "${packages[@]}"
	list=$(missing $sets)
	[ -z "$list" ] && return 0
	mapfile -t packages < <(packages_for "$manager" <<<"$list")
	echo "deps: installed, but still not found: ${packages[*]}" >&2
	explain_libbpf
	return 1
}

check() {
	local list packages

	list=$(missing $1)
	[ "$list" ] || return 0
	mapfile -t packages < <(packages_for "$(package_manager)" <<<"$list")
	echo "missing: ${packages[*]}" >&2
	echo "install them, or let make do it: sudo make deps" >&2
	explain_libbpf
	return 1
}

main() {
	local mode=${1:-} sets= set

	case $mode in
	bpftool | perf)
		"find_$mode"
		return
		;;
	check | install)
		shift
		for set in "${@:-all}"; do
			sets+=" $(sets_of "$set")" || return 2
		done
		;;
	*)
		echo "usage: deps.sh check|install [build|demo|test|bench|lint|all]..., or deps.sh bpftool|perf" >&2
		return 2
		;;
	esac
	if [ "$mode" = check ]; then
		check "$sets"
	else
		install_missing "$sets"
	fi
}

main "$@"
