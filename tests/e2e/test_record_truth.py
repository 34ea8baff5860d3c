#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter record tells the truth: who woke whom from where, and where real programs block."""
from collections import Counter
from contextlib import AbstractContextManager
from typing import Callable

import loads
import lib
from lib import attempt, check, finish, need_loiter, note, skip, skip_in_vm, workload
from loads import Absent
from recording import (EXACT, LACKING, UNLEARNED, Report, Span, Truth, judged, report_of,
                       share_complete, spans_of)

Load = Callable[[], AbstractContextManager[list[int]]]

SHARE_COMPLETE = 0.999
WARM_UP_NS = lib.sized(50_000_000, 1_000_000_000)
WINDOW = lib.sized("3s", "4s")
RING_WINDOW = lib.sized("1s", "3s")
LEFT_OUT_IN_VM = ("postgres", "mariadb")
LEAST_BLOCKS = lib.sized(1000, 200)
LEAST_VERIFIED = lib.sized(200, 20)

# As tests/workloads/ring.c has them.
RING = {"red": "red_turn red_main",
        "green": "green_step green_turn green_main",
        "blue": "blue_leap blue_step blue_turn blue_main"}
RING_OWN = r"(red|green|blue)_\w+|take|give"
TAKES = {comm: Truth(RING_OWN, f"take {comm}_take {below}") for comm, below in RING.items()}
GIVES = {comm: Truth(RING_OWN, f"give {comm}_give {below}") for comm, below in RING.items()}
OUTSIDE = "another process"
WAKER_OF = {"green": "red", "blue": "green", "red": "blue"}
RING_WAITS = {"pipe": "read", "eventfd": "read", "tcp": "read", "sem": "sem wait",
              "cond": "cond wait"}


def early_blocks(report: Report, total: int) -> int:
    """Returns how many blocks of @total may lack: the first of each thread, which began before
    the window, one of each stack, when that was learned, and what comes in the first moments."""
    threads = sum(process["thread_count"] for process in report["processes"])
    stacks = len(spans_of(report, "blocked"))
    return threads + stacks + total * WARM_UP_NS // report["window_ns"]


# --- wakers -----------------------------------------------------------------------------------

def judge_ring_span(span: Span, comm: str, from_outside: bool) -> str:
    """Returns EXACT, LACKING for what was not learned yet, or what is wrong. What comes over the
    network may be brought by anybody who is interrupted, @from_outside: the kernel's own threads
    when there is much to do."""
    waker, wanted = span["waker"], WAKER_OF[comm]
    verdict = TAKES[comm].judge(span)
    if verdict not in (EXACT, LACKING):
        return f"{comm} blocked: {verdict}"
    if not waker or not waker["comm"] or (from_outside and waker["comm"] == OUTSIDE):
        return LACKING
    if waker["comm"] != wanted:
        return f"{comm} woken by {waker['comm']}"
    woken = GIVES[wanted].judge(waker)
    if woken not in (EXACT, LACKING):
        return f"{comm} woken: {woken}"
    return EXACT if verdict == woken == EXACT else LACKING


def check_ring(name: str, report: Report, way: str) -> None:
    comms = {thread["tid"]: thread["comm"] for process in report["processes"]
             for thread in process["threads"]}
    judged: Counter[str] = Counter()
    exact: Counter[str] = Counter()
    for span in spans_of(report):
        comm = comms[span["tids"][0]]
        if comm not in RING or span["wait"] not in (RING_WAITS[way], "blocked"):
            continue
        verdict = judge_ring_span(span, comm, way == "tcp")
        judged[verdict] += span["count"]
        exact[comm] += span["count"] * (verdict == EXACT)
    early = early_blocks(report, judged.total())
    note(f"{name}: {judged[EXACT]} of {judged.total()} wakes exact, {judged[LACKING]} lack")
    check(f"{name}: each thread was woken, often", all(exact[comm] > 100 for comm in RING), exact)
    wrong = {verdict: count for verdict, count in judged.items()
             if verdict not in (EXACT, LACKING)}
    check(f"{name}: no waker is wrong", not wrong, wrong)
    check(f"{name}: nearly none lacks",
          judged[LACKING] <= (1 - SHARE_COMPLETE) * judged.total() + early, judged)


def test_wakers(way: str) -> None:
    name = f"ring by {way}"
    with workload("ring", way) as target:
        report = report_of(name, "-p", target.pid, "-d", RING_WINDOW, "--by", "waker", "-t")
    if report:
        check_ring(name, report, way)


# --- real programs ----------------------------------------------------------------------------

def pid_args(pids: list[int]) -> list[str]:
    return [word for pid in pids for word in ("-p", str(pid))]


def check_complete(name: str, report: Report) -> None:
    complete, total = share_complete(report)
    early = early_blocks(report, total)
    partial = sum(span["count"] for span in spans_of(report, "blocked")
                  if span["quality"] not in ("complete", "none") and
                  span["stack_end"] != UNLEARNED)
    note(f"{name}: {complete} of {total} blocks complete, {partial} in part, "
         f"lost {report['losses']}")
    check(f"{name}: {SHARE_COMPLETE:.1%} of the blocks are complete",
          total > LEAST_BLOCKS and total - complete <= (1 - SHARE_COMPLETE) * total + early,
          f"{complete} of {total}, early {early}, lost {report['losses']}")
    check(f"{name}: where its code was learned, a stack is whole",
          partial <= (1 - SHARE_COMPLETE) * total, f"{partial} of {total}, lost {report['losses']}")


def test_load(name: str, load: Load, verify_every: int) -> None:
    if name in LEFT_OUT_IN_VM and skip_in_vm(name, "it takes all of the processor"):
        return
    try:
        with load() as pids:
            report = judged(name, *pid_args(pids), "-d", WINDOW, verified=LEAST_VERIFIED,
                            every=verify_every)
    except Absent as absent:
        skip(name, str(absent))
        return
    if report:
        check_complete(name, report)


def test_luajit() -> None:
    """What cannot be walked is never called whole."""
    name = "luajit"
    try:
        with loads.luajit() as pids:
            report = report_of(name, *pid_args(pids), "-d", "2s")
    except Absent as absent:
        skip(name, str(absent))
        return
    if report:
        counts: Counter[str] = Counter()
        for span in spans_of(report, "blocked"):
            counts[span["quality"]] += span["count"]
        note(f"{name}: {dict(counts)}, lost {report['losses']}")
        check(f"{name}: no stack is called complete", counts["complete"] == 0, counts)
        check(f"{name}: stacks are truncated, and counted as that",
              counts["truncated"] > 10 and report["losses"].get("stacks_no_cfi"), counts)


# Name, load, and how many walks there are to one that is verified: some make 100,000 a second.
LOADS = (("redis", loads.redis, 10), ("postgres", loads.postgres, 10),
         ("mariadb", loads.mariadb, 4), ("python3", loads.python3, 10),
         ("sched pipe", loads.sched_pipe, 200), ("sched messaging", loads.sched_messaging, 20))


def main() -> None:
    need_loiter()
    for way in lib.sized(tuple(RING_WAITS), ("tcp", "cond")):
        attempt(f"ring by {way}", test_wakers, way)
    for name, load, verify_every in LOADS:
        attempt(name, test_load, name, load, verify_every)
    attempt("luajit", test_luajit)
    finish()


if __name__ == "__main__":
    main()
