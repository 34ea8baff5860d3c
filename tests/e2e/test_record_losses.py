#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter record loses no time, whatever threads do, and nothing silently: not when it is stopped
itself, and not when its tables are full.

Reports of many stacks are read as folded lines: in JSON they are hundreds of megabytes.
"""
import os
import re
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import btf
import lib
from lib import Target, attempt, check, finish, need_loiter, note, skip, skip_in_vm, workload
from recording import (Recording, Report, by_thread, functions, recording, report_of,
                       spans_of)

MEMBERS = lib.sized(1000, 40)
CONSERVED_SHARE = 0.01
WINDOW = "3s"
BIRTHS = lib.sized(20_000, 4000)  # whose stacks are more than the ring buffer of 8 MiB holds
LIFE_MS = lib.sized(300, 600)
TAKEN_SHARE = lib.sized(0.01, 0.1)  # between the end of the one main thread and the next
EXIT_NS = lib.sized(0, 200_000_000)  # a thread is joined before it has left its CPU
SLEPT_SHARE = lib.sized(0.99, 0.9)  # a short sleep can be over before the thread is off its CPU
PATH_BITS = 20
STOPPED_BLOCKS = 45_000  # new stacks that fill the ring buffer of 8 MiB more than once
TABLE_BLOCKS = 160_000  # more than the tables' 65,536
MAPPINGS = 20_000
RULE_HOPS = 250_000  # more than the table's 131,072
HERD = 3
LATE = 200

SUMS = Counter[str]
LOST = re.compile(r"lost: (\d+) (.*)")


# --- conservation -----------------------------------------------------------------------------

def check_conserved(name: str, sums: dict[int, int], window_ns: int) -> None:
    off = {tid: total / window_ns for tid, total in sums.items()
           if abs(total - window_ns) > CONSERVED_SHARE * window_ns}
    worst = max(abs(total / window_ns - 1) for total in sums.values())
    note(f"{name}: {len(sums)} threads, worst {worst:.4%} off")
    check(f"{name}: each thread's time is the window", not off, off)


def test_medley() -> None:
    name = f"{MEMBERS} threads of all kinds"
    with workload("medley", MEMBERS) as target:
        report = report_of(name, "-p", target.pid, "-d", WINDOW, "--by", "wall", "-t")
        if report:
            sums = by_thread(report)
            check(f"{name}: every one", sorted(sums) == lib.tids(target.pid),
                  f"{len(sums)} of {len(lib.tids(target.pid))}")
            check_conserved(name, sums, report["window_ns"])


def read_lives(target: Target) -> dict[int, tuple[int, int]]:
    lives = {}
    while (line := target.read_line()) != "done":
        _, tid, least, most = line.split()
        lives[int(tid)] = (int(least), int(most))
    return lives


def test_mayflies() -> None:
    """Threads that are born and end within the window have their whole life in it."""
    name = "threads that come and go"
    with workload("medley", MEMBERS // 4) as target:
        with recording("-p", target.pid, "-d", "0", "--by", "wall", "-t") as running:
            os.kill(target.pid, signal.SIGUSR1)
            lives = read_lives(target)
            status, out, err = running.stop()
    if not check(f"{name}: recorded", status == 0, err):
        return
    sums = by_thread(lib.json.loads(out))
    off = {tid: (sums.get(tid), life) for tid, life in lives.items()
           if not (1 - CONSERVED_SHARE) * life[0] <= sums.get(tid, 0) <=
           (1 + CONSERVED_SHARE) * life[1] + EXIT_NS}
    check(f"{name}: each of {len(lives)} has the time of its life", lives and not off, off)


def test_main_taken() -> None:
    """A thread that begins a program goes on as the main thread, and its own id ends."""
    name = "a thread in the main one's place"
    with workload("turncoat-north", LIFE_MS) as target:
        report = report_of(name, "-p", target.pid, "-d", WINDOW, "--by", "wall", "-t")
    if not report:
        return
    sums, window_ns = by_thread(report), report["window_ns"]
    lives = {tid: total for tid, total in sums.items() if tid != target.pid}
    note(f"{name}: the main thread's time is {sums[target.pid] / window_ns:.2%} of the window, "
         f"that of {len(lives)} others {sum(lives.values()) / window_ns:.2%}")
    check(f"{name}: there were several programs", len(lives) > 6, lives)
    check(f"{name}: the main thread's time is the window",
          abs(sums[target.pid] / window_ns - 1) < TAKEN_SHARE, sums[target.pid])
    check(f"{name}: no other has more than the life of a program",
          max(lives.values()) < 2 * LIFE_MS * 1_000_000, lives)


# --- losses -----------------------------------------------------------------------------------

@dataclass
class Folded:
    """What a recording of all that threads did comes to, by thread, and what it says it lost."""
    us: SUMS
    unknown_us: int  # blocked, without a stack
    stacks: list[list[str]]  # root first, of what was blocked
    lost: dict[str, int]

    @property
    def window_us(self) -> int:
        """The main thread of these workloads sleeps all the time."""
        return max(us for name, us in self.us.items() if not name.startswith("path "))


def read_folded(out: str, err: str) -> Folded:
    ret = Folded(Counter(), 0, [], {text: int(count) for count, text in LOST.findall(err)})
    for line in out.splitlines():
        text, us = line.rsplit(" ", 1)
        _, thread, *frames, wait = text.split(";")
        ret.us[thread] += int(us)
        if wait == "[on CPU]" or wait == "[run queue]":
            continue
        if frames == ["[no stack]"]:
            ret.unknown_us += int(us)
        else:
            ret.stacks.append(frames)
    return ret


def lost_of(folded: Folded, words: str) -> int:
    return sum(count for text, count in folded.lost.items() if words in text)


def check_folded(name: str, folded: Folded) -> None:
    window = folded.window_us
    off = {thread: us / window for thread, us in folded.us.items()
           if abs(us - window) > CONSERVED_SHARE * window}
    note(f"{name}: {len(folded.stacks)} stacks, {folded.unknown_us / 1e6:.3f} s without, "
         f"lost {folded.lost}")
    check(f"{name}: each thread's time is the window", len(folded.us) > 1 and not off, off)
    check(f"{name}: time without a stack is said to be lost",
          not folded.unknown_us or lost_of(folded, "without a stack") or
          lost_of(folded, "beyond the maximum"), folded.lost)


def check_paths(name: str, folded: Folded) -> None:
    """Checks that each stack is one that the workload can be in."""
    def is_path(frames: list[str]) -> bool:
        own = [frame for frame in frames if frame.startswith("path_")]
        turns = [frame for frame in own if frame in ("path_left", "path_right")]
        return (own[:1] == ["path_main"] and own[-1:] == ["path_wait"] and
                own[1:-1 - PATH_BITS].count("path_down") == len(own) - PATH_BITS - 2 and
                own[-1 - PATH_BITS:-1] == turns)
    # What was on its way to be learned ends early, and says so.
    whole = [frames for frames in folded.stacks if "[truncated]" not in frames]
    wrong = [frames for frames in whole if not is_path(frames) and "main" not in frames]
    check(f"{name}: {len(whole)} stacks are whole, and none is wrong", whole and not wrong,
          wrong[:3])


def count_of(target: Target) -> int:
    """Asks the workload how far it is."""
    os.kill(target.pid, signal.SIGUSR1)
    return int(target.read_line().split()[1])


def wait_count(target: Target, more: int) -> None:
    end = count_of(target) + more
    lib.wait_for(f"{more} of {target.name}", lambda: count_of(target) >= end)


def stop_while(running: Recording, work: Callable[[], object]) -> None:
    """Stops loiter for as long as @work takes."""
    running.proc.send_signal(signal.SIGSTOP)
    lib.wait_for("loiter to stop", lambda: lib.has_state(running.proc.pid, running.proc.pid, "T"))
    work()
    running.proc.send_signal(signal.SIGCONT)


def test_stopped_reader() -> None:
    """New stacks by the thousand while nobody reads: those that found no room come again."""
    name = "loiter stopped among new stacks"
    if skip_in_vm(name, "45,000 new stacks"):
        return
    with workload("paths", 60_000, 40) as target:
        with recording("-p", target.pid, "-d", "0", "--by", "wall", "-t", form="folded") as running:
            wait_count(target, 100)
            stop_while(running, lambda: wait_count(target, STOPPED_BLOCKS))
            wait_count(target, 10_000)
            status, out, err = running.stop()
    if not check(f"{name}: recorded", status == 0, err):
        return
    folded = read_folded(out, err)
    check(f"{name}: dropped events are counted", lost_of(folded, "dropped") > 0, err)
    check_folded(name, folded)
    check_paths(name, folded)


def test_stopped_births() -> None:
    """Threads that are born and end while nobody reads are in the report all the same: the kernel
    keeps what they did until somebody does. Their stacks may be lost, and are counted then."""
    name = "loiter stopped among births"
    with workload("births", BIRTHS) as target:
        with recording("-p", target.pid, "-d", "0", "--verify", 1) as running:
            def births() -> None:
                os.kill(target.pid, signal.SIGUSR1)
                target.read_until(f"done {BIRTHS}")
            stop_while(running, births)
            status, out, err = running.stop()
    if not check(f"{name}: recorded", status == 0, err):
        return
    report = lib.json.loads(out)
    threads = [thread for thread in report["processes"][0]["threads"]
               if thread["tid"] != target.pid]
    sleeps = sum(span["count"] for span in spans_of(report, "blocked")
                 if span["wait"] == "sleep")
    note(f"{name}: {len(threads)} of {BIRTHS} known, {sleeps} sleeps, lost {report['losses']}")
    check(f"{name}: dropped events are counted", report["losses"].get("events_dropped", 0) > 0,
          report["losses"])
    check(f"{name}: every thread is in the report", len(threads) == BIRTHS, len(threads))
    check(f"{name}: and that it slept, nearly each of them", sleeps >= SLEPT_SHARE * BIRTHS,
          sleeps)


def report_late(mode: str, name: str, *args: object, every: bool = False) -> Optional[Report]:
    """Records threads that are born, and block for ever, while nobody can learn where: their
    process, or @every one."""
    with workload("herd", LATE, mode) as target:
        what = ("-a",) if every else ("-p", target.pid)
        with recording(*what, "-d", "0", *args) as running:
            def born() -> None:
                os.kill(target.pid, signal.SIGUSR1)
                target.read_until("born")
            stop_while(running, born)
            status, out, err = running.stop()
    return lib.json.loads(out) if check(f"{name}: recorded", status == 0, err) else None


def test_last_look() -> None:
    """They are looked at as the window ends: many at one place before its stack is known, and all
    of a process whose code has changed."""
    for mode, every in (("late", False), ("late-mapped", False), ("late-mapped", True)):
        name = f"{mode} threads{' among all' if every else ''}"
        report = report_late(mode, name, "-t", every=every)
        if not report:
            continue
        waits = [span for span in spans_of(report, "blocked")
                 if span["open"] and "herd_wait" in functions(span["frames"])]
        check(f"{name}: every one has its stack",
              len({tid for span in waits for tid in span["tids"]}) == LATE and
              all(span["quality"] == "complete" and span["wait"] == "cond wait"
                  for span in waits), (len(waits), waits[:1], report["losses"]))
    name = "late threads, by futex"
    report = report_late("late", name, "--by", "futex")
    if report:
        stacks = [stack for process in report["processes"] for futex in process["futexes"]
                  for stack in futex["stacks"] if "total_ns" in stack]
        whole = sum(stack["count"] for stack in stacks if stack["quality"] == "complete" and
                    "herd_wait" in functions(stack["frames"]))
        check(f"{name}: every wait has its stack", whole >= LATE, (whole, stacks[:1]))


def test_changing_code() -> None:
    """A process whose code changes before its map can be read does not keep loiter from its end."""
    name = "code that changes without end"
    if skip_in_vm(name, "what bounds it depends on no kernel"):
        return
    with workload("mapper", MAPPINGS) as target:
        report = report_of(name, "-p", target.pid, "-d", WINDOW, "--by", "wall", "-t")
    if not report:
        return
    check(f"{name}: what was not looked at is counted", report["losses"].get("code_over_max"),
          report["losses"])
    check_conserved(name, by_thread(report), report["window_ns"])


def test_full_tables() -> None:
    """More stacks than the tables of stacks and of sums have room for."""
    name = "tables full"
    if skip_in_vm(name, "160,000 stacks"):
        return
    with workload("paths", 1 << PATH_BITS) as target:
        with recording("-p", target.pid, "-d", "0", "--by", "wall", "-t", form="folded") as running:
            wait_count(target, TABLE_BLOCKS)
            status, out, err = running.stop()
    if not check(f"{name}: recorded", status == 0, err):
        return
    folded = read_folded(out, err)
    check(f"{name}: stacks beyond the maximum are counted", lost_of(folded, "stacks beyond") > 0,
          err)
    check(f"{name}: blocks beyond the maximum are counted", lost_of(folded, "blocks beyond") > 0,
          err)
    check_folded(name, folded)
    check_paths(name, folded)


def test_full_rules() -> None:
    """More call sites than the table of rules has room for."""
    name = "rules full"
    if skip_in_vm(name, "250,000 call sites"):
        return
    if not (lib.WORKLOADS / "hops").exists():
        skip(name, "no such workload on this architecture")
        return
    with workload("hops") as target:
        with recording("-p", target.pid, "-d", "0", "--by", "wall", "-t", form="folded") as running:
            wait_count(target, RULE_HOPS)
            status, out, err = running.stop()
    if not check(f"{name}: recorded", status == 0, err):
        return
    folded = read_folded(out, err)
    check(f"{name}: rules beyond the maximum are counted", lost_of(folded, "rules beyond") > 0, err)
    check_folded(name, folded)
    # It can also wait anywhere on its way, for the page of a site.
    whole = ["hop_main", *["hop_next", "hop_sites"] * 40, "hop_next", "hop_wait"]
    hops = [[frame for frame in frames if re.match("hop_|rest_", frame)]
            for frames in folded.stacks if "hop_main" in frames and "[truncated]" not in frames]
    check(f"{name}: whole stacks are true", whole in hops and
          all(frames == whole[:len(frames)] for frames in hops), hops[:1])


# --- programs that the kernel does not take ---------------------------------------------------

def test_refused() -> None:
    """Without what tells of new code: its tracepoint, and what its programs read of a thread."""
    own = Path("/sys/kernel/btf/vmlinux").read_bytes()
    for lacking in ("btf_trace_page_fault_user", "pagefault_disabled"):
        name = f"a kernel without {lacking}"
        with workload("herd", HERD) as target, lib.scratch_dir() as path:
            (path / "btf").write_bytes(btf.without(own, lacking))
            report = report_of(name, "-p", target.pid, "-d", "100ms", "--btf", path / "btf")
            if report:
                check(f"{name}: recorded, and it says what it lacks", "code_unwatched" in
                      report["losses"] and len(by_thread(report)) == HERD + 1, report["losses"])
            done = lib.run_loiter("check", "--btf", path / "btf")
            check(f"{name}: check says so", "\nmissing  new code at an old address" in done.stdout
                  and "record and leaks work here" in done.stdout, done.stdout)


def main() -> None:
    need_loiter()
    for test in (test_medley, test_mayflies, test_main_taken, test_stopped_reader,
                 test_stopped_births, test_last_look, test_changing_code, test_full_tables, test_full_rules,
                 test_refused):
        attempt(test.__name__, test)
    finish()


if __name__ == "__main__":
    main()
