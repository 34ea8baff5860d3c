#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Ten thousand threads and more: all there, all right, in little memory, and none of them noticed.
How long it takes is for the bench to say."""
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
from lib import Target, Thread, attempt, check, note

METER = lib.REPO / "tests" / "bench" / "meter.py"
MEMORY_MAX_KB = 64 * 1024
COUNTS = (10_000, 25_000)
UNTOUCHED = ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches", "SigPnd", "ShdPnd", "State",
             "TracerPid")


def meter(output: Path, *args: object) -> dict[str, Any]:
    """Runs loiter and returns what it took."""
    done = subprocess.run([sys.executable, "-ISE", str(METER), str(output), str(lib.LOITER),
                           *map(str, args)], stdout=subprocess.PIPE, text=True, check=True,
                          timeout=lib.DEADLINE_S)
    return json.loads(done.stdout)


def touched(pid: int) -> dict[int, list[str]]:
    """Returns what an observer could change of each thread."""
    fields = {tid: lib.status_fields(pid, tid) for tid in lib.tids(pid)}
    return {tid: [of[name].strip() for name in UNTOUCHED] for tid, of in fields.items()}


def check_untouched(name: str, before: dict[int, list[str]], after: dict[int, list[str]]) -> None:
    changed = {tid: (before.get(tid), after.get(tid)) for tid in before.keys() | after.keys()
               if before.get(tid) != after.get(tid)}
    check(f"{name}: no thread ran, was stopped or got a signal", not changed,
          f"{len(changed)} of {len(before)} did: {dict(list(changed.items())[:5])} {UNTOUCHED}")


def check_threads(name: str, pid: int, report: dict[str, Any]) -> None:
    threads: dict[int, Thread] = {thread["tid"]: thread
                                  for thread in report["processes"][0]["threads"]}
    check(f"{name}: every thread, once", sorted(threads) == lib.tids(pid) and
          len(report["processes"][0]["threads"]) == len(threads), len(threads))
    herd = [thread for tid, thread in threads.items() if tid != pid]
    wrong = [thread for thread in herd if (thread["state"], thread["wait"], thread["quality"]) !=
             ("blocked", "cond wait", "complete")]
    check(f"{name}: all blocked, in cond wait, complete", not wrong, wrong[:3])
    stacks = {tuple(lib.pcs_of(thread)) for thread in herd}
    check(f"{name}: one stack", len(stacks) == 1, f"{len(stacks)} stacks")
    check(f"{name}: nothing was lost", not report["losses"], report["losses"])


def check_scale(count: int, target: Target, path: Path) -> None:
    name = f"{count} threads"
    before = touched(target.pid)
    text = meter(path / "text", "dump", "-p", target.pid)
    check_untouched(name, before, touched(target.pid))
    note(f"{name}: {text['maxrss_kb'] // 1024} MB, {text['seconds']:.3f} s")
    check(f"{name}: exit status 0", text["status"] == 0, text)
    check(f"{name}: at most 64 MB", text["maxrss_kb"] <= MEMORY_MAX_KB, text)
    lines = (path / "text").read_text().splitlines()
    check(f"{name}: one group", sum(line.startswith(f"{count} threads [cond wait")
                                    for line in lines) == 1, "\n".join(lines[:12]))
    whole = meter(path / "json", "dump", "-p", target.pid, "-f", "json")
    note(f"{name}, as JSON: {whole['maxrss_kb'] // 1024} MB, {whole['seconds']:.3f} s")
    check(f"{name}: JSON in at most 64 MB", whole["maxrss_kb"] <= MEMORY_MAX_KB, whole)
    check_threads(name, target.pid, json.loads((path / "json").read_text()))
    check_untouched(f"{name}, JSON", before, touched(target.pid))


def test_scale(count: int) -> None:
    with lib.scratch_dir() as path, lib.workload("herd", count) as target:
        check_scale(count, target, path)


def main() -> None:
    lib.need_loiter()
    for count in COUNTS:
        attempt(f"{count} threads", test_scale, count)
    lib.finish()


if __name__ == "__main__":
    main()
