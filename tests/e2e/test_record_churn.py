#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter record of what changes under its feet: other code at the same address, by dlopen and by
exec. What was learned of the old code is wrong for the new, and no stack may show it.
"""
import os
import signal

from lib import (Target, attempt, check, finish, has_preempt_rt, need_loiter, note, sized, skip,
                 workload)
from recording import Truth, check_verdicts, judge_blocks, judged

PLUGS = Truth(r"(alpha|omega|plug|call)_\w+|meet|load|(worker_|loader_)?main|wait_for_stop",
              *(f"{name}_wait {name}_outer plug_enter call_{name} worker_main"
                for name in ("alpha", "omega")),
              "meet worker_main", "meet loader_main", "load loader_main", "loader_main",
              "wait_for_stop main")
TURNCOAT = Truth(r"(north|south)_\w+|turn|main|stdin_ended|start_thread_of",
                 *(f"{side}_wait {side}_outer {side}_main" for side in ("north", "south")),
                 "turn north_main", "turn south_main", "turn main", "stdin_ended main",
                 "start_thread_of main", "main", "")  # or in none, while it begins


LEAST_VERIFIED = sized(100, 50)
BROKEN_SHARE = 0.001
# Where an exec takes long, a thread's stack can be copied in the middle of one.
TORN_SHARE = sized(0, 0.01)


def check_plugs_stayed(name: str, target: Target) -> bool:
    """Whether the plugs shared one address, without which nothing was tried."""
    os.kill(target.pid, signal.SIGUSR1)
    words = target.read_line().split()
    loaded, moved = int(words[1]), int(words[3])
    note(f"{name}: loaded {loaded} times at one address")
    return check(f"{name}: they took turns at one address", loaded > 20 and not moved, words)


def test_plugs(name: str, rounds: int, pause_us: int, least_share: float) -> None:
    with workload("plugs", rounds, pause_us) as target:
        report = judged(name, "-p", target.pid, "-d", "3s", verified=LEAST_VERIFIED)
        if not report or not check_plugs_stayed(name, target):
            return
        verdicts = judge_blocks(report, PLUGS)
        check(f"{name}: new code is noticed but with PREEMPT_RT",
              ("code_unwatched" in report["losses"]) == has_preempt_rt(), report["losses"])
        if has_preempt_rt():
            skip(name, "this kernel does not tell of new code at an old address")
            return
        check_verdicts(name, verdicts, least_share, BROKEN_SHARE)
        for plug in ("alpha", "omega"):
            check(f"{name}: blocks in {plug}", verdicts.exact_in(f"{plug}_wait") > 50,
                  verdicts.exact)


def test_turncoat(name: str, life_ms: int, least_share: float) -> None:
    with workload("turncoat-north", life_ms) as target:
        report = judged(name, "-p", target.pid, "-d", "3s", verified=LEAST_VERIFIED)
    if not report:
        return
    verdicts = judge_blocks(report, TURNCOAT)
    check_verdicts(name, verdicts, least_share, TORN_SHARE)
    for side in ("north", "south"):
        check(f"{name}: blocks as {side}", verdicts.exact_in(f"{side}_wait") > 50, verdicts.exact)


def main() -> None:
    need_loiter()
    attempt("plugs", test_plugs, "plugs by turns", 20, 2000, 0.8)
    # A thousand changes a second: what was met before the map was read can be gone by then.
    attempt("plugs", test_plugs, "plugs in a hurry", 3, 200, 0.01)
    for name, life_ms, share in (("exec now and then", 900, 0.9), ("exec in a hurry", 50, 0.5)):
        attempt(name, test_turncoat, name, life_ms, share)
    finish()


if __name__ == "__main__":
    main()
