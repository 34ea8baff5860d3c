#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter itself: what many processes take of it, that it leaves itself out, that it says when it
cannot write."""
import contextlib
import json
import os
import resource
import subprocess
from pathlib import Path

from lib import LOITER, attempt, check, finish, need_loiter, sized, wait_for

PROCESSES = sized(120, 80)
CLOCK_NANOSLEEP = ("230 ", "115 ")  # of aarch64 the latter
SOFT_FILES = 64
MEMORY_MAX_MB = 200


def limit_files() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_FILES, hard))


def test_many_processes() -> None:
    with contextlib.ExitStack() as stack:
        args = []
        for _ in range(PROCESSES):
            proc = subprocess.Popen(["sleep", "1000"])
            stack.callback(proc.wait)
            stack.callback(proc.kill)
            args += ["-p", str(proc.pid)]
            call = Path(f"/proc/{proc.pid}/syscall")
            wait_for("sleep to sleep",
                     lambda call=call: call.read_text().startswith(CLOCK_NANOSLEEP))
        with subprocess.Popen([LOITER, "dump", "-f", "json", *args], stdout=subprocess.PIPE,
                              preexec_fn=limit_files) as loiter:
            report = json.load(loiter.stdout)
            _, status, usage = os.wait4(loiter.pid, 0)
            loiter.returncode = os.waitstatus_to_exitcode(status)
    check("a report", status == 0, status)
    check("of every process", len(report["processes"]) == PROCESSES, len(report["processes"]))
    qualities = [thread["quality"] for process in report["processes"]
                 for thread in process["threads"]]
    check("every stack is complete", set(qualities) == {"complete"}, report["losses"])
    check("nothing is lost", not report["losses"], report["losses"])
    used_mb = usage.ru_maxrss // 1024
    check(f"at most {MEMORY_MAX_MB} MB of memory, used {used_mb}", used_mb <= MEMORY_MAX_MB)


def test_all_but_itself() -> None:
    with subprocess.Popen([LOITER, "dump", "-a", "-f", "json"], stdout=subprocess.PIPE) as loiter:
        report = json.load(loiter.stdout)
    pids = [process["pid"] for process in report["processes"]]
    check("-a: others", os.getpid() in pids, pids)
    check("-a: not loiter itself", loiter.pid not in pids, pids)


def test_full_disk(*args: str) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([LOITER, *args], stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False)
    check(f"{' '.join(args)}: a full disk is said",
          done.returncode == 1 and "No space left on device" in done.stderr, done)


def main() -> None:
    need_loiter()
    attempt("many processes", test_many_processes)
    attempt("-a", test_all_but_itself)
    for args in (["check"], ["--help"], ["--version"], ["help", "dump"], ["dump", "--help"],
                 ["record", "--usage"]):
        attempt(" ".join(args), test_full_disk, *args)
    finish()


if __name__ == "__main__":
    main()
