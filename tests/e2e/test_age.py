#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""A thread's age is the time since it blocked, also when that was long before loiter started."""
import calendar
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Iterator

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
from lib import Target, attempt, check, note

THREADS = 40
BLOCKED_S = 10
SPINNERS = 4
IDLE_ROUNDS = lib.sized(3, 2)
BUSY_ROUNDS = lib.sized(5, 2)
IDLE_MS = lib.sized(5, 25)
BUSY_MS = lib.sized(20, 250)


def parse_time_ns(text: str) -> int:
    """Returns wall clock nanoseconds of "2026-11-23T16:30:47.123Z", which is cut to the ms."""
    whole, millis = text.rstrip("Z").split(".")
    seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
    return seconds * 10**9 + int(millis.ljust(9, "0"))


def wall_minus_mono_ns() -> int:
    """Returns the offset of the clocks, from the closest pair of readings of many."""
    best = (1 << 62, 0)
    for _ in range(100):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        best = min(best, (after - before, wall - (before + after) // 2))
    return best[1]


def outside_ns(value: int, low: int, high: int) -> int:
    """Returns how far @value is from the range: negative below it, 0 within."""
    return min(value - low, 0) or max(value - high, 0)


def blocked_since(target: Target) -> dict[int, int]:
    """Returns {tid: CLOCK_MONOTONIC} as the threads themselves noted it."""
    return {int(tid): int(ns) for word, tid, ns in map(str.split, target.lines)
            if word == "blocked"}


def check_ages(name: str, target: Target, limit_ms: int) -> None:
    since = blocked_since(target)
    offset = wall_minus_mono_ns()
    started = time.monotonic_ns()
    done = lib.run_loiter("dump", "-p", target.pid, "-f", "json")
    ended = time.monotonic_ns()
    report = json.loads(done.stdout)
    threads = {thread["tid"]: thread for thread in report["processes"][0]["threads"]}
    if not check(f"{name}: all {len(since)} threads there", since.keys() <= threads.keys(),
                 sorted(since.keys() - threads.keys())):
        return
    moment = parse_time_ns(report["time"]) - offset
    check(f"{name}: the snapshot's time is within the run",
          not outside_ns(moment, started - 10**6, ended), (started, moment, ended))
    by_clock = [outside_ns(threads[tid]["age_ns"], moment - ns, moment - ns + 10**6)
                for tid, ns in since.items()]
    by_run = [outside_ns(threads[tid]["age_ns"], started - ns, ended - ns)
              for tid, ns in since.items()]
    for what, errors in (("the snapshot's time", by_clock), ("the run", by_run)):
        worst = max(errors, key=abs) / 1e6
        note(f"{name}, against {what}: worst {worst:+.3f} ms")
        check(f"{name}: ages within {limit_ms} ms of {what}", abs(worst) <= limit_ms,
              f"{worst:+.3f} ms; all, in us: {[error // 1000 for error in errors]}")
    check(f"{name}: they did block long before", min(
        threads[tid]["age_ns"] for tid in since) > (BLOCKED_S - 1) * 10**9)
    check(f"{name}: ages are calibrated", "ages_uncalibrated" not in report["losses"],
          report["losses"])


@contextlib.contextmanager
def busy_machine() -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(SPINNERS):
            stack.enter_context(lib.workload("spin", 1))
        yield


def test_ages() -> None:
    with lib.workload("ages", THREADS) as target:
        since = blocked_since(target)
        if not check("most threads know their truth", len(since) > THREADS // 2, len(since)):
            return
        left_ns = max(since.values()) + BLOCKED_S * 10**9 - time.monotonic_ns()
        time.sleep(max(left_ns, 0) / 1e9)
        for i in range(IDLE_ROUNDS):
            check_ages(f"idle machine, {i + 1}", target, IDLE_MS)
        with busy_machine():
            for i in range(BUSY_ROUNDS):
                check_ages(f"{SPINNERS} processes spinning, {i + 1}", target, BUSY_MS)


def main() -> None:
    lib.need_loiter()
    attempt("ages", test_ages)
    lib.finish()


if __name__ == "__main__":
    main()
