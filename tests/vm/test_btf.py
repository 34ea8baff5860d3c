#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""A kernel whose BTF cannot be seen: the error says so and what to do, and with the types out of
the kernel's image everything works as it does with the kernel's own."""
import json
import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "e2e"))

import lib  # pylint: disable=wrong-import-position
from lib import attempt, check, need_loiter

OWN = Path("/sys/kernel/btf/vmlinux")
FROM_IMAGE = Path("/vm/btf")  # as vm.py puts it
HIDE = 'mount -t tmpfs none /sys/kernel/btf || exit 99; exec "$@"'
THREADS = 20


def hidden(*args: object) -> subprocess.CompletedProcess:
    """Runs loiter where nobody sees the kernel's BTF."""
    argv = ["unshare", "-m", "sh", "-c", HIDE, "sh", str(lib.LOITER), *map(str, args)]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, timeout=lib.DEADLINE_S, check=False)


def check_refused(name: str, *args: object) -> None:
    done = hidden(*args)
    wanted = ("BTF", str(OWN), "CONFIG_DEBUG_INFO_BTF", "--btf FILE")
    check(f"{name} without BTF: one line, with the remedy",
          done.returncode == 1 and not done.stdout and len(done.stderr.splitlines()) == 1 and
          all(word in done.stderr for word in wanted), done)


def test_without(pid: int) -> None:
    check_refused("dump", "dump", "-p", pid)
    check_refused("record", "record", "-p", pid, "-d", "100ms")
    done = hidden("check")
    check("check without BTF: says so", done.returncode == 1 and "MISSING  kernel BTF" in
          done.stdout, done)


def test_check() -> None:
    with_own = lib.run_loiter("check")
    done = hidden("check", "--btf", FROM_IMAGE)
    check("check --btf: as with the kernel's own", done.returncode == with_own.returncode == 0 and
          done.stdout.replace(str(FROM_IMAGE), str(OWN)) == with_own.stdout,
          f"{done}\n{with_own.stdout}")


def test_dump(pid: int) -> None:
    done = hidden("dump", "-p", pid, "-f", "json", "-k", "--btf", FROM_IMAGE)
    if not check("dump --btf: works", done.returncode == 0 and not done.stderr, done.stderr):
        return
    threads = json.loads(done.stdout)["processes"][0]["threads"]
    waiting = [thread for thread in threads if thread["wait"] == "cond wait" and
               thread["quality"] == "complete"]
    check("dump --btf: every thread with its stack", len(waiting) == THREADS, threads[:2])


def check_recording(by: str, pid: int) -> None:
    done = hidden("record", "-p", pid, "-d", "1s", "-f", "json", "--by", by, "--btf", FROM_IMAGE)
    if not check(f"record --by {by} --btf: works", done.returncode == 0, done.stderr):
        return
    report = json.loads(done.stdout)
    spans = [span for process in report["processes"] for span in process.get("spans", ())
             if span["wait"] == "cond wait" and span["quality"] == "complete"]
    total_ns = sum(span["total_ns"] for span in spans)
    if by != "futex":
        check(f"record --by {by} --btf: each thread's time is the window",
              total_ns == THREADS * report["window_ns"], (total_ns, report["window_ns"]))


def test_record(pid: int) -> None:
    for by in ("blocked", "wall", "futex"):
        check_recording(by, pid)


def main() -> None:
    need_loiter()
    if not check("the kernel's types are there, out of its image", FROM_IMAGE.exists() and
                 os.stat(FROM_IMAGE).st_size > 0):
        lib.finish()
    with lib.workload("herd", THREADS) as target:
        attempt("without", test_without, target.pid)
        attempt("check", test_check)
        attempt("dump", test_dump, target.pid)
        attempt("record", test_record, target.pid)
    lib.finish()


if __name__ == "__main__":
    main()
