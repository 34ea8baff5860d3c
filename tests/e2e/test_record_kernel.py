#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter record -k: the kernel's part of the stacks, by what is known of each wait, and beside
offcputime, which reads kernel stacks in the same event."""
import json
import re
import shutil
import subprocess
from collections import Counter
from typing import Any, Optional

import lib
from lib import LOITER, attempt, check, finish, need_loiter, note, redis, running, skip, workload

WINDOW_S = lib.sized(2, 1)
OFFCPUTIME_S = 3
SHARE_COMPARED = 0.01  # of the time: rarer stacks one of the two may have missed
# Where a thread that only lost its CPU stands: offcputime shows it, loiter says "run queue".
PREEMPTED = re.compile(r"exit_to_user_mode_loop|irqentry_exit|preempt_schedule|raw_irqentry|"
                       r"dynamic_.*cond_resched|__cond_resched")
# Where the kernel is entered.
ROOT = re.compile(r"entry_SYSCALL_64|asm_exc_|asm_sysvec_|ret_from_fork|el0t_64_")
# What takes the stack, and what is the same in every one.
TAKERS = re.compile(r"bpf_|__traceiter_|__bpf_|perf_|(__schedule|schedule)($|\.)")

WAITS = """
import os, select, threading, time
readable, writable = os.pipe()
def write():
    while True:
        os.write(writable, b"x")
        time.sleep(0.002)
def read():
    while True:
        os.read(readable, 1)
def poll():
    epoll = select.epoll()
    while True:
        epoll.poll(0.002)
for wait in (write, read, poll):
    threading.Thread(target=wait, daemon=True).start()
print("ready", flush=True)
while True:
    time.sleep(0.003)
"""

# First so often that the interpreter has settled on one way to call.
SLEEPS = """
import time
round = 0
while True:
    if round == 100:
        print("ready", flush=True)
    time.sleep(0.5 if round >= 100 else 0)
    round += 1
"""

LACKS = {"wait_userfault": "this kernel has no userfaultfd for faults of user code alone, which is "
                           "of 5.11"}

# By the wait's name: functions of which one is in every kernel stack of it, by kernel and build.
EXPECTED = {
    "read": {"pipe_read", "anon_pipe_read", "fifo_pipe_read"},
    "sleep": {"do_nanosleep"},
    "select": {"ep_poll", "do_epoll_wait"},
}

Span = dict[str, Any]


def record(*args: object) -> subprocess.CompletedProcess:
    return lib.run_loiter("record", *args)


def spans_of(name: str, *args: object) -> list[Span]:
    done = record(*args, "-f", "json", "-d", f"{WINDOW_S}s")
    if not check(f"{name}: recorded", done.returncode == 0, done.stderr):
        return []
    report = json.loads(done.stdout)
    check(f"{name}: no kernel stack was lost", "kstacks_missing" not in report["losses"],
          report["losses"])
    return [span for process in report["processes"] for span in process["spans"]]


def kernel_names(span: Span) -> list[str]:
    return [frame["function"] or "" for frame in span["kernel_frames"]]


def user_names(span: Span) -> set[str]:
    return {frame["function"] or "" for frame in span["frames"]}


def check_heads(name: str, spans: list[Span]) -> None:
    """Kernel stacks begin where the thread waits, and go down to where it came in."""
    heads = [names[:3] for names in map(kernel_names, spans) if TAKERS.match(names[0])]
    check(f"{name}: none begins with what took it", not heads, heads)
    short = [names for names in map(kernel_names, spans) if not ROOT.match(names[-1])]
    check(f"{name}: all go down to the kernel's entry", not short, short)


def test_waits() -> None:
    with running("python3", ["/usr/bin/python3", "-c", WAITS]) as target:
        target.read_until("ready")
        spans = spans_of("python3", "-p", target.pid, "-k")
        blocked = [span for span in spans if span["count"] > 10]
        bare = [span["wait"] for span in blocked if not span["kernel_frames"]]
        check("every block has kernel frames", blocked and not bare, bare)
        check_heads("python3", [span for span in spans if span["kernel_frames"]])
        for wait, functions in EXPECTED.items():
            found = [kernel_names(span) for span in blocked if span["wait"] == wait]
            check(f"[{wait}] is in {' or '.join(sorted(functions))}",
                  found and all(functions & set(names) for names in found), found)


def test_never_ends() -> None:
    """What blocked before the recording and after it has the stack of the snapshot."""
    expected = {"wait_read_pipe": "pipe_read", "wait_epoll": "epoll|ep_poll",
                "wait_sleep": "nanosleep", "wait_userfault": "handle_userfault"}
    with workload("mix", "--no-vfork") as target:
        spans = spans_of("mix", "-p", target.pid, "-k", "-t")
        check_heads("mix", [span for span in spans if span["kernel_frames"]])
        for function, kernel in expected.items():
            found = [span for span in spans if function in user_names(span)]
            if not found:
                skip(function, LACKS.get(function, "not on this machine"))
                continue
            check(f"{function} waits in {kernel}",
                  all(re.search(kernel, " ".join(kernel_names(span))) for span in found),
                  [kernel_names(span) for span in found])
            if function == "wait_userfault":
                check("a page fault is one", {span["wait"] for span in found} == {"page fault"})


def test_one_place_is_one_group() -> None:
    """A thread that slept when the recording began is in the group of its later sleeps: both have
    the same stack, though one is from the snapshot and the others from the scheduler's event."""
    with running("sleeper", ["/usr/bin/python3", "-c", SLEEPS]) as target:
        target.read_until("ready")
        sleeps = [span for span in spans_of("sleeper", "-p", target.pid, "-k")
                  if span["wait"] == "sleep"]
        check("all sleeps are one group", len(sleeps) == 1,
              [(span["count"], span["quality"], kernel_names(span), sorted(user_names(span)))
               for span in sleeps])


def test_on_cpu() -> None:
    with running("dd", ["dd", "if=/dev/zero", "of=/dev/null", "bs=64k"],
                 stderr=subprocess.DEVNULL) as target:
        spans = spans_of("dd", "-p", target.pid, "-k", "--on-cpu", "--freq", 499)
        kernel = [span for span in spans if span["kernel_frames"]]
        share = sum(span["count"] for span in kernel) / max(1, sum(s["count"] for s in spans))
        note(f"dd: {share:.0%} of the samples hit the kernel")
        check("dd: samples that hit the kernel have its frames", kernel, spans)
        deep = [span for span in kernel if len(span["kernel_frames"]) > 2]
        check("dd: its frames go down to the kernel's entry",
              deep and all(ROOT.match(kernel_names(span)[-1]) for span in deep),
              [kernel_names(span) for span in deep])
        check("dd: what it reads is in them",
              any(re.search("read|clear_user|zero", " ".join(kernel_names(s))) for s in kernel))
    with workload("spin", 1) as target:
        spans = spans_of("spin", "-p", target.pid, "-k", "--on-cpu")
        user = sum(span["count"] for span in spans if not span["kernel_frames"])
        total = sum(span["count"] for span in spans)
        check("spin: samples of user code have no kernel frames", user > total / 2,
              f"{user} of {total}")


def test_replay() -> None:
    with workload(*lib.sized(lib.BUSY, ("mix", 60))) as target, lib.scratch_dir() as path:
        saved = path / "saved.loiter"
        done = record("-p", target.pid, "-d", "1s", "-k", "--save", saved, "-f", "folded")
        check("save: kernel frames", "_[k];" in done.stdout, done.stderr)
        again = lib.run_loiter("replay", saved, "-k", "-f", "folded")
        check("replay -k: the same bytes", again.stdout == done.stdout)
        without = lib.run_loiter("replay", saved, "-f", "folded")
        check("replay: without -k none", without.stdout and "_[k]" not in without.stdout)
        for form in ("text", "json", "pprof", "html"):
            other = subprocess.run([str(LOITER), "replay", str(saved), "-k", "-f", form],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            check(f"replay -k: {form}", other.returncode == 0 and other.stdout, other.stderr)
        plain = record("-p", target.pid, "-d", "1s", "--save", saved, "-f", "folded")
        check("without -k none is recorded", plain.stdout and "_[k]" not in plain.stdout)
        again = lib.run_loiter("replay", saved, "-k", "-f", "folded")
        check("replay -k of it: the same bytes", again.stdout == plain.stdout)


def test_hidden() -> None:
    """Without the kernel's names, which take CAP_SYSLOG, frames are addresses, as in a dump."""
    setpriv = shutil.which("setpriv")
    if not setpriv:
        skip("without CAP_SYSLOG", "no setpriv")
        return
    with running("python3", ["/usr/bin/python3", "-c", WAITS]) as target:
        target.read_until("ready")
        done = subprocess.run([setpriv, "--bounding-set", "-syslog", "--inh-caps", "-syslog",
                               str(LOITER), "record", "-p", str(target.pid), "-k", "-d", "1s",
                               "-f", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, check=False)
        if not check("without CAP_SYSLOG: recorded", done.returncode == 0, done.stderr):
            return
        spans = [span for process in json.loads(done.stdout)["processes"]
                 for span in process["spans"] if span["count"] > 10]
        frames = [frame for span in spans for frame in span["kernel_frames"]]
        check("without CAP_SYSLOG: frames without names", frames and
              not any(frame["function"] for frame in frames), frames[:3])
        check("without CAP_SYSLOG: the same waits", {span["wait"] for span in spans} >=
              set(EXPECTED), {span["wait"] for span in spans})


def parse_offcputime(text: str) -> Counter:
    """Returns the us of each kernel stack, leaf first, without what took it."""
    stacks: Counter = Counter()
    for block in text.split("\n\n"):
        lines = [line.strip() for line in block.strip().splitlines()]
        if len(lines) < 3 or not lines[-1].isdigit():
            continue
        root = next((i for i, line in enumerate(lines) if ROOT.match(line)), None)
        if root is not None:
            stack = lines[:root + 1]
            while stack and (TAKERS.match(stack[0]) or stack[0].startswith("[")):
                stack.pop(0)
            if not PREEMPTED.match(stack[0]):
                stacks[tuple(stack)] += int(lines[-1])
    return stacks


def kernel_stacks(spans: list[Span]) -> Counter:
    """Likewise of loiter's, but for what hardly ever ended: offcputime sees blocks that end."""
    stacks: Counter = Counter()
    for span in spans:
        if span["kernel_frames"] and span["count"] > 10 * span["open"]:
            stacks[tuple(kernel_names(span))] += span["total_ns"] // 1000
    return stacks


def compare(name: str, ours: Counter, theirs: Counter) -> None:
    """Every stack that has a share of the time is in the other, as it is."""
    for who, these, those in (("loiter", ours, theirs), ("offcputime", theirs, ours)):
        total = sum(these.values())
        missing = {stack: us for stack, us in these.items()
                   if us > SHARE_COMPARED * total and stack not in those}
        note(f"{name}: {who} has {len(these)} kernel stacks, {total} us")
        check(f"{name}: {who}'s kernel stacks are the other's too", these and not missing,
              f"{missing}\nthe other has\n" + "\n".join(map(str, those)))


def offcputime_program() -> Optional[str]:
    return lib.find_program("offcputime", "bpf-offcputime", "/usr/sbin/offcputime")


def check_offcputime(name: str, program: str, pid: int) -> None:
    other = subprocess.Popen([program, "-p", str(pid), str(OFFCPUTIME_S)],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    spans = spans_of(name, "-p", pid, "-k")
    text, _ = other.communicate(timeout=lib.DEADLINE_S)
    theirs = parse_offcputime(text)
    if not theirs:
        skip(name, f"offcputime does not work here: {text[:200]}")
        return
    compare(name, kernel_stacks(spans), theirs)


def test_offcputime() -> None:
    program, benchmark = offcputime_program(), shutil.which("redis-benchmark")
    if not program:
        skip("offcputime", "not here (libbpf-tools)")
        return
    with running("python3", ["/usr/bin/python3", "-c", WAITS]) as target:
        target.read_until("ready")
        check_offcputime("python3 beside offcputime", program, target.pid)
    if not benchmark:
        skip("redis beside offcputime", "no redis-benchmark")
        return
    with redis() as target:
        load = subprocess.Popen([benchmark, "-p", str(target.port), "-q", "-n", "100000000",
                                 "-t", "get"], stdout=subprocess.DEVNULL)
        try:
            check_offcputime("redis beside offcputime", program, target.pid)
        finally:
            lib.stop_process(load)


def main() -> None:
    need_loiter()
    for test in (test_waits, test_never_ends, test_one_place_is_one_group, test_on_cpu,
                 test_replay, test_hidden, test_offcputime):
        attempt(test.__name__, test)
    finish()


if __name__ == "__main__":
    main()
