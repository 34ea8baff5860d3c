# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""What the VMs have of this machine: programs and files under the paths that they have here."""
import glob
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterable, Iterator

import stop
from errors import SetupError

REPO = Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# What the tests are written in and call; without one of them there is no VM.
PROGRAMS = """
[ awk basename bash cat chmod chown chroot cmp cp cut date dd df diff dirname dmesg env expr false
find free grep head hostname id kill ln locale ls mkdir mkfifo mknod mktemp mount mv nice nproc
objcopy od pivot_root printf ps readelf readlink realpath rm rmdir sed seq setpriv sh sleep sort
stat strip stty sync tail taskset tee test timeout touch tr true umount uname uniq unshare wc xargs
curl eu-stack ldd python3
""".split()

# What single tests look at: where it is not installed, they are skipped in the VM as they are here.
SERVERS = """
redis-server redis-benchmark memcached nginx luajit strace ip
""".split()

# Patterns; what matches nothing is left out.
FILES = """
/etc/passwd /etc/group /etc/hosts /etc/nsswitch.conf /etc/services /etc/protocols /etc/ld.so.cache
/usr/lib/*/libnss_files.so.2 /usr/lib64/libnss_files.so.2 /usr/lib/*/gconv/gconv-modules.cache
/usr/lib/postgresql/*/bin/* /usr/lib/postgresql/*/lib/dict_snowball.so
/usr/lib/postgresql/*/lib/plpgsql.so
""".split()

# Patterns of directories, with all that is in them.
TREES = """
/usr/lib/locale/C.utf8
/usr/share/postgresql/*
""".split()

# Of Python's library, what no test needs.
PYTHON_LEFT_OUT = {"test", "tests", "idlelib", "lib2to3", "ensurepip", "tkinter", "turtledemo",
                   "site-packages", "dist-packages", "pydoc_data", "distutils"}

# A note that says: GNU, of type 3, with 20 bytes behind the name. It is among the first pages.
BUILD_ID_BYTES = 20
BUILD_ID_NOTE = b"\x04\0\0\0" + bytes([BUILD_ID_BYTES, 0, 0, 0]) + b"\x03\0\0\0GNU\0"
NOTES_WITHIN_BYTES = 8192
NOT_DYNAMIC = "not a dynamic executable"
# Where Ubuntu has the one of each kernel, as deps.sh knows too.
BPFTOOLS = ("/usr/lib/linux-tools*/bpftool", "/usr/lib/linux-tools/*/bpftool")
BPFTOOL_PLACE = "/usr/sbin/bpftool"  # in the VMs, wherever it is here
DEBUG_DIR = "/usr/lib/debug/.build-id"

# Of this tree, for every run.
REPO_FILES = """
build/loiter build/demo-server build/workloads/* build/vm/* build/tests/bpf/test_*[a-z]
build/*.bpf.o deps.sh demo/*.sh tests/run.py
""".split()
REPO_TREES = ["tests/e2e", "tests/vm", "tests/bench", "tests/workloads", "demo", "docs"]


def find_program(name: str) -> str:
    """Returns the path of a program, or "" when it is not installed."""
    if "/" in name:
        return os.path.abspath(name) if os.access(name, os.X_OK) else ""
    return shutil.which(name, path=PATH) or ""


def _walk(top: str, left_out: set[str]) -> Iterator[str]:
    for folder, dirs, files in os.walk(top):
        dirs[:] = [name for name in dirs if name not in left_out]
        for name in files:
            yield os.path.join(folder, name)


def _python_library() -> Iterator[str]:
    """Yields the standard library of the python3 that the VMs have, compiled files too."""
    ask = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    done = subprocess.run([find_program("python3"), "-c", ask], stdout=subprocess.PIPE, text=True,
                          check=False)
    top = done.stdout.strip()
    if done.returncode or not top:
        raise SetupError(f"python3 does not say where its library is: status {done.returncode}")
    for path in _walk(top, PYTHON_LEFT_OUT):
        if not os.path.relpath(path, top).startswith("config-"):
            yield path


def tree(top: str) -> list[str]:
    """Returns all files below @top."""
    return list(_walk(top, set()))


def _existing(patterns: list[str]) -> Iterator[str]:
    for pattern in patterns:
        yield from (path for path in sorted(glob.glob(pattern)) if os.path.exists(path))


def bpftool() -> str:
    """Returns the bpftool for BPFTOOL_PLACE, or "" when there is none. What Ubuntu has in the PATH
    is a script that runs the one of the running kernel: a VM has another kernel, and none of it."""
    done = subprocess.run([str(REPO / "deps.sh"), "bpftool"], stdout=subprocess.PIPE, text=True,
                          check=False)
    found = done.stdout.strip()
    if is_elf(found):
        return found
    real = [path for pattern in BPFTOOLS for path in glob.glob(pattern) if is_elf(path)]
    return max(real, default=found)


def missing_programs() -> list[str]:
    missing = [name for name in PROGRAMS if not find_program(name)]
    return missing if bpftool() else [*missing, "bpftool"]


def base_files() -> list[str]:
    """Returns all that is not of this tree, without the shared libraries that it needs."""
    names = [find_program(name) for name in PROGRAMS + SERVERS]
    ret = [path for path in names if path]
    ret += _python_library()
    ret += (path for path in _existing(FILES) if os.path.isfile(path))
    for tree in _existing(TREES):
        ret += _walk(tree, set())
    return ret


def repo_files() -> list[str]:
    """Returns what there is of this tree, without libraries."""
    ret = [path for path in _existing([str(REPO / pattern) for pattern in REPO_FILES])
           if os.path.isfile(path)]
    for tree in REPO_TREES:
        ret += _walk(str(REPO / tree), {"__pycache__"})
    return ret


def is_elf(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


def _build_id(path: str) -> str:
    """Returns the build ID of a file, in hex, or "" when it has none."""
    with open(path, "rb") as file:
        head = file.read(NOTES_WITHIN_BYTES)
    start = head.find(BUILD_ID_NOTE) + len(BUILD_ID_NOTE)
    return head[start:start + BUILD_ID_BYTES].hex() if start >= len(BUILD_ID_NOTE) else ""


def debug_files(paths: Iterable[str]) -> list[str]:
    """Returns where separate debug files of @paths are, when they are installed."""
    ids = (_build_id(path) for path in paths if is_elf(path))
    return [f"{DEBUG_DIR}/{build_id[:2]}/{build_id[2:]}.debug" for build_id in ids if build_id]


def _ldd(paths: list[str]) -> str:
    """Returns what ldd says of @paths. It has one status for all of them, and fails for what is
    linked statically: only of a single file can be told that this was the reason."""
    stop.check()
    done = subprocess.run(["ldd", *paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
    if not done.returncode:
        return done.stdout
    if done.returncode < 0:
        raise SetupError(f"ldd was ended by signal {-done.returncode}")
    if len(paths) > 1:
        half = len(paths) // 2
        return _ldd(paths[:half]) + _ldd(paths[half:])
    if NOT_DYNAMIC in done.stderr:
        return ""
    said = (done.stderr + done.stdout).strip() or f"exit status {done.returncode}"
    raise SetupError(f"ldd {paths[0]}: {said}")


def libraries(paths: list[str]) -> set[str]:
    """Returns the shared libraries that programs and libraries of @paths need, the loader too."""
    found: set[str] = set()
    elves = [path for path in paths if is_elf(path) and not path.endswith((".o", ".a"))]
    for start in range(0, len(elves), 100):
        found.update(word for word in _ldd(elves[start:start + 100]).split()
                     if word.startswith("/") and not word.endswith(":"))
    return found
