#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""The house's own rules: the walls between its rooms and what no compiler checks.

usage: rules.py [DIR]      prints "file:line: what is wrong" for each fault, exits 1 when any
"""

import os
import re
import sys

# An include points to the left or into its own room. A room that is not named here is a fault.
ROOMS = ["base", "wire", "capture", "proc", "model", "unwind", "symbolize", "collect", "report",
         "serve", "cli"]
# The rooms without I/O and without a clock, and those that reach files through proc/ only.
PURE_ROOMS = {"model", "report"}
PROC_ONLY_ROOMS = {"unwind", "symbolize"}

IO_HEADER = re.compile(r"<(fcntl|unistd|dirent|poll|signal|pthread|netdb|spawn|sys/(?!types\.h|"
                       r"cdefs\.h)[\w/]+)(\.h)?>|<(netinet|arpa|linux|elfutils|bpf)/")
IO_MODULES = {"base/clock.h", "base/file.h", "base/caps.h"}
SKELETON_USERS = {"loiter.skel.h": "user/capture/loader.c",
                  "record.skel.h": "user/capture/recorder.c"}

# (names called, where: a prefix of the path, except: prefixes or files, why)
BANNED = [
    ("strcpy strcat stpcpy sprintf vsprintf gets strtok", "", (), "knows no bound"),
    ("atoi atol atoll atof strtol strtoul strtoll strtoull strtod strtof", "user/",
     ("user/base/num.c",), "base/num.h is the only number parser"),
    ("atoi atol atoll atof strtol strtoul strtoll strtoull strtod strtof", "demo/", (),
     "takes anything for a number"),
    ("system popen alloca", "user/", (), "is not for a privileged program"),
    ("system popen alloca", "demo/", (), "hides what runs, or how much stack"),
    ("exit _exit abort assert quick_exit", "user/", ("user/cli/", "user/proc/child.c"),
     "is for cli/ only, and for what is not loiter any more"),
    ("printf puts putchar perror", "user/", ("user/cli/",), "library code does not print"),
    ("time clock clock_gettime gettimeofday", "user/model/", (), "model/ reads no clock"),
    ("time clock clock_gettime gettimeofday", "user/report/", (), "report/ reads no clock"),
    ("open openat fopen opendir popen", "user/model/", (), "model/ does no I/O"),
    ("open openat fopen opendir popen", "user/report/", (), "report/ does no I/O"),
    ("open openat fopen opendir", "user/unwind/", (), "files are reached through proc/"),
    ("open openat fopen opendir", "user/symbolize/", (), "files are reached through proc/"),
    ("ptrace kill tgkill process_vm_writev", "user/", (),
     "the target is never stopped, sent a signal or written to"),
]

PAGE_BANNED = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|srcdoc|document\.write|eval|"
                         r"Function\(|setAttribute\(\"(?:style|on)|fetch\(|XMLHttpRequest|"
                         r"WebSocket|import\b|https?:)|@import|url\(")
BPF_NAME_MAX = 15
# What only arch_<ISA> and syscalls_<ISA> know: registers, and numbers of system calls.
ARCH_FILE = re.compile(r"/(arch|syscalls)_\w+\.[ch]$")
ARCH_FACTS = re.compile(r"(?:->|\.)\s*(?:[er]?(?:[abcd]x|[sd]i|bp|ip)|[er]sp|r(?:[89]|1[0-5])|"
                        r"orig_ax)\b|\b__NR_\w+|"
                        r"\b(?:REGS_READ|BPF_CORE_READ)\([^,()]*,\s*"
                        r"(?:[abcd]x|[sd]i|[bsi]p|cs|ss|r\d+|orig_ax)\b")
LINES_MAX = 700
SPDX = "SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0"
WITH_SPDX = (".c", ".h", ".cc", ".S", ".sh", ".py", ".mk", ".1", ".proto", ".js", ".css", ".html")
SPDX_BY_NAME = {"Makefile", ".ci/run"}
SKIPPED_DIRS = {".git", "build", "vmlinux", "__pycache__", "LICENSES"}

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"][^>"\n]+[>"])', re.M)


class Source:
    """One file: its path below the root, its text, and for C its text without comments and
    strings, of the same length and lines."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            self.text = file.read()
        self.is_c = path.endswith((".c", ".h", ".cc"))
        self.code = TOKEN.sub(blank, self.text) if self.is_c else ""
        parts = path.split("/")
        self.room = parts[1] if parts[0] == "user" and len(parts) > 2 else None

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def includes(self):
        # The name within quotes is blank in .code, so the directive is looked for in .text, and
        # .code tells whether it stands in a comment.
        for match in INCLUDE.finditer(self.text):
            if "#" in self.code[match.start():match.end()]:
                yield self.line_of(match.start(1)), match.group(1)


def blank(match):
    token = match.group(0)
    if token[0] in "\"'":
        return token[0] + " " * (len(token) - 2) + token[-1]
    return re.sub(r"[^\n]", " ", token)


def check_rooms(source):
    """Who includes whom."""
    if source.path.startswith("user/") and source.room not in ROOMS:
        yield 1, f"'{source.room}' is no room of the house"
        return
    for line, name in source.includes():
        plain, room = name[1:-1], name[1:-1].split("/")[0]
        if plain in SKELETON_USERS and source.path != SKELETON_USERS[plain]:
            yield line, f"only {SKELETON_USERS[plain]} includes the skeleton"
        if plain.endswith(".pb-c.h") and source.room not in (None, "report"):
            yield line, f"{source.room}/ includes {plain}: only report/ knows protocol buffers"
        if source.path.startswith("bpf/") and name[0] == '"' and \
                not plain.startswith("bpf/") and plain != "vmlinux.h":
            yield line, f"bpf/ includes {plain}: it knows nothing of user space"
        if source.path.startswith("demo/") and (room in ROOMS or room in ("user", "bpf")):
            yield line, f"demo/ includes {plain}: it shares no code with loiter"
        if not source.room:
            continue
        if plain.startswith("user/"):
            yield line, f"{plain}: name it without user/"
        elif name.startswith("<bpf/") and source.room != "capture":
            yield line, f"{source.room}/ includes {name}: only capture/ knows libbpf"
        elif name[0] == '"' and room == "bpf" and source.room == "base":
            yield line, "base/ knows nothing of the project"
        elif name[0] == '"' and room == "bpf" and plain != "bpf/wire.h":
            yield line, f"{source.room}/ includes {plain}: the contract is bpf/wire.h"
        elif name[0] == '"' and room in ROOMS and ROOMS.index(room) > ROOMS.index(source.room):
            yield line, f"{source.room}/ includes {plain}: includes point to the left only"


def check_pure(source):
    """model/ and report/ do no I/O and read no clock."""
    if source.room not in PURE_ROOMS:
        return
    for line, name in source.includes():
        if IO_HEADER.match(name) or name[1:-1] in IO_MODULES:
            yield line, f"{source.room}/ includes {name}: it does no I/O and reads no clock"


def check_banned(source):
    """Functions that may not be called, or only in some places."""
    if not source.is_c:
        return
    for names, prefix, excepted, why in BANNED:
        if not source.path.startswith(prefix) or source.path.startswith(tuple(excepted) or "\0"):
            continue
        for match in re.finditer(rf"(?<![\w.>])({'|'.join(names.split())})[ \t]*\(", source.code):
            yield source.line_of(match.start()), f"{match.group(1)}() {why}"


def check_guard(source):
    """A header's guard is DIRECTORY_FILE_H."""
    if not source.path.endswith(".h"):
        return
    want = re.sub(r"\W", "_", "/".join(source.path.split("/")[-2:])).upper()
    if not re.search(rf"^#ifndef {want}\n#define {want}$", source.text, re.M):
        yield 1, f"the guard is to be {want}"


def check_bpf_names(source):
    """The kernel cuts names of programs and maps after 15 characters, silently."""
    if not source.path.startswith("bpf/"):
        return
    program = r'SEC\("(?!\.maps|license)[^"\n]+"\)\s*[\w\s*]*?\b(?:BPF_\w+\(\s*)?(\w+)\s*[(,)]'
    for pattern in (program, r'(\w+)\s*SEC\("\.maps"\)'):
        for match in re.finditer(pattern, source.text):
            if len(match.group(1)) > BPF_NAME_MAX:
                yield source.line_of(match.start(1)), \
                    f"'{match.group(1)}' is longer than {BPF_NAME_MAX} characters"


def check_arch(source):
    """Facts of an ISA stand in one file per ISA."""
    if not source.is_c or not source.path.startswith(("bpf/", "user/")) or \
            ARCH_FILE.search(source.path):
        return
    for line, name in source.includes():
        if ARCH_FILE.search(name[1:-1]) and source.path != "bpf/arch.h":
            yield line, f"{name}: bpf/arch.h chooses the ISA"
    for match in ARCH_FACTS.finditer(source.code):
        yield source.line_of(match.start()), \
            f"'{match.group(0)}' is a fact of an ISA, for arch_<ISA> only"


def check_page(source):
    """A page makes its nodes from text, never from markup, runs no text, and fetches nothing."""
    if not source.path.endswith((".js", ".css", ".html")):
        return
    for match in PAGE_BANNED.finditer(source.text):
        yield source.line_of(match.start()), f"'{match.group(0)}' is not for a page of ours"


def check_spdx(source):
    """Each file names its licence at its top."""
    named = source.path in SPDX_BY_NAME or source.path.endswith(WITH_SPDX)
    if named and SPDX not in "".join(source.text.splitlines(True)[:3]):
        yield 1, f"no line '{SPDX}' at the top"


def check_length(source):
    """No file of more than LINES_MAX lines."""
    count = source.text.count("\n")
    if count > LINES_MAX and (source.is_c or source.path.endswith((".py", ".sh", ".mk", ".js"))):
        yield LINES_MAX, f"{count} lines: at most {LINES_MAX}, so that a file has one subject"


CHECKS = [check_rooms, check_pure, check_banned, check_guard, check_bpf_names, check_arch,
          check_page, check_spdx, check_length]


def sources(root):
    for folder, dirs, files in os.walk(root):
        dirs[:] = sorted(set(dirs) - SKIPPED_DIRS)
        for name in sorted(files):
            path = os.path.relpath(os.path.join(folder, name), root)
            if path.endswith(WITH_SPDX) or path in SPDX_BY_NAME:
                yield Source(root, path)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "."
    found = count = 0
    for source in sources(root):
        count += 1
        for check in CHECKS:
            for line, message in check(source):
                print(f"{source.path}:{line}: {message}")
                found += 1
    if not count:
        print(f"no sources below '{root}'")
    return 1 if found or not count else 0


if __name__ == "__main__":
    sys.exit(main())
