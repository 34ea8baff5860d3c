#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter record of many: threads that are born and end while it looks, and processes."""
import json
import os
import signal
from typing import Optional

import lib
from lib import attempt, check, finish, has_preempt_rt, need_loiter, note, workload
from recording import (Recording, Report, Truth, check_verdict, check_verdicts, judge_blocks,
                       judged, record, recording)

BIRTHS = lib.sized(20_000, 2000)
FORKS = lib.sized(100, 20)
DEPTHS = 9
BROOD = 6
BROOD_TURNS = lib.sized(3, 1)
BROOD_SHARE = lib.sized(0.9, 0.5)  # of their blocks: the first ones lack
WHOLE_SHARE = lib.sized(0.99, 0.8)  # of the births': the first ones, until they are learned, lack
LEAST_VERIFIED = lib.sized(1000, 100)

BIRTH = Truth(r"birth_\w+|main|give_birth|wait_for_stop|start_thread_of", "",
              "birth_wait birth_main", "birth_main", "give_birth wait_for_stop main",
              "start_thread_of give_birth wait_for_stop main", "wait_for_stop main")
FORK = Truth(r"fork_(wait|step|child|other)|main|wait_for_stop", "wait_for_stop main",
             *(" ".join(["fork_wait", *["fork_step"] * depth, *root]) for depth in range(DEPTHS)
               for root in (["go_down", "fork_child", "main"], ["go_down", "fork_other"])))

BROOD_TRUTH = Truth(r"brood_\w+|main", "brood_wait brood_child main", "main", "")

HEADLESS_TRUTH = Truth(r"leader_\w+|keeper_main|wait_for_stop", "leader_nap leader_wait",
                       "wait_for_stop keeper_main")


def end_of(name: str, running: Recording) -> Optional[Report]:
    status, out, err = running.stop()
    if not check(f"{name}: recorded", status == 0, err):
        return None
    check_verdict(name, err, 100)
    return json.loads(out)


def test_births() -> None:
    name = f"{BIRTHS} threads born and ended"
    with workload("births", BIRTHS) as target:
        with recording("-p", target.pid, "-d", "0", "--verify", 10) as running:
            os.kill(target.pid, signal.SIGUSR1)
            check(f"{name}: they were", target.read_line() == f"done {BIRTHS}")
            report = end_of(name, running)
    if not report:
        return
    process = report["processes"][0]
    born = [thread for thread in process["threads"] if thread["tid"] != process["pid"]]
    lost = sum(report["losses"].get(loss, 0)
               for loss in ("events_dropped", "threads_untracked", "threads_over_max"))
    note(f"{name}: {len(born)} in the report, lost {report['losses']}")
    check(f"{name}: all are in the report, or counted as lost",
          len(born) <= BIRTHS <= len(born) + lost, (len(born), report["losses"]))
    check(f"{name}: thread_count is theirs and the main thread",
          process["thread_count"] == len(process["threads"]) == len(born) + 1,
          (process["thread_count"], len(process["threads"])))
    verdicts = judge_blocks(report, BIRTH)
    # With PREEMPT_RT a thread can block at its first instruction, where its CFI is its creator's.
    check_verdicts(name, verdicts, WHOLE_SHARE, 0.15 if has_preempt_rt() else 0)
    waits = verdicts.exact[("birth_wait", "birth_main")]
    check(f"{name}: nearly all of their sleeps have that stack",
          WHOLE_SHARE * BIRTHS <= waits <= BIRTHS, waits)


def test_forks() -> None:
    name = f"{FORKS} processes"
    with workload("forks", FORKS):
        report = judged(name, "-n", "forks", "-d", "3s", verified=LEAST_VERIFIED)
    if not report:
        return
    processes = report["processes"]
    check(f"{name}: each is in the report", len(processes) == FORKS + 1, len(processes))
    check_verdicts(name, judge_blocks(report, FORK), 0.9)
    wrong = {process["pid"]: (process["comm"], span["frames"]) for process in processes
             for span in process["spans"] if process["comm"].startswith("depth-") and
             span["frames"] and
             sum(frame["function"] == "fork_step" for frame in span["frames"]) !=
             int(process["comm"].split("-")[1])}
    check(f"{name}: each has its own stacks", not wrong, dict(list(wrong.items())[:2]))
    check(f"{name}: each has both its threads",
          all(process["thread_count"] == 2 for process in processes if process["comm"] != "forks"))


def test_brood() -> None:
    """Processes forked by a program before anything is known of it have their own stacks."""
    name = f"{BROOD} processes forked at once"
    for turn in range(BROOD_TURNS):
        done = record("-f", "json", "--", lib.WORKLOADS / "brood", BROOD)
        if check(f"{name}, turn {turn}: recorded", done.returncode == 0, done.stderr):
            check_verdicts(f"{name}, turn {turn}",
                           judge_blocks(json.loads(done.stdout), BROOD_TRUTH), BROOD_SHARE)


def test_headless() -> None:
    """The map of a process whose main thread has ended is read through another one."""
    name = "the main thread has ended"
    with workload("zombie_leader", "busy") as target:
        report = judged(name, "-p", target.pid, "-d", "2s", verified=10)
    if report:
        check_verdicts(name, judge_blocks(report, HEADLESS_TRUTH), BROOD_SHARE)


def main() -> None:
    need_loiter()
    attempt("births", test_births)
    attempt("forks", test_forks)
    attempt("brood", test_brood)
    attempt("headless", test_headless)
    finish()


if __name__ == "__main__":
    main()
