#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Every kind of wait and every state is reported as what it is."""
import os
import re
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
import truth as truth_lib
from lib import Target, Thread, attempt, check, skip

# What the kernel alone tells, without the names of libc's functions.
SYSCALL_KINDS = {"sleep", "select", "read", "write", "accept", "connect", "recv", "send",
                 "child wait", "signal wait", "io_uring", "page fault", "flock"}
# What mix must have met, wherever it runs; io_uring and page fault need the kernel's leave.
MIX_KINDS = {"mutex lock", "rwlock lock", "cond wait", "sem wait", "barrier wait", "join", "once",
             "sleep", "select", "read", "write", "accept", "connect", "recv", "send",
             "child wait", "signal wait"}
SPINNERS = 4
ON_STACK = re.compile(r"futex 0x[0-9a-f]+ \(stack of thread (\d+)\)")


def wrong_kinds(target: Target, threads: dict[int, Thread], kinds: set[str]) -> list[str]:
    """Returns the cells whose wait is not said as it is, of those of @kinds (empty: all)."""
    wrong = []
    for truth in truth_lib.parse_truth(target):
        thread = threads.get(truth.tid, {})
        if truth.kind == "-" or (kinds and truth.kind not in kinds):
            continue
        if thread.get("wait") != truth.kind or thread.get("state") != "blocked":
            wrong.append(f"{truth.name}: '{truth.kind}' reported as '{thread.get('wait')}', "
                         f"{thread.get('state')}")
    return wrong


def check_kinds(name: str, target: Target, kinds: set[str]) -> None:
    wrong = wrong_kinds(target, lib.dump(target.pid)[target.pid], kinds)
    check(f"{name}: every wait named as it is", not wrong,
          f"{len(wrong)} wrong\n" + "\n".join(wrong[:20]))


def test_variant(name: str, kinds: set[str]) -> None:
    if not (lib.WORKLOADS / name).exists():
        skip(name, "not built here: its compiler is not installed")
        return
    with lib.workload(name) as target:
        check_kinds(name, target, kinds)


def test_coverage() -> None:
    with lib.workload("mix") as target:
        kinds = {truth.kind for truth in truth_lib.parse_truth(target)}
        check("mix waits in every kind", MIX_KINDS <= kinds, MIX_KINDS - kinds)
        threads = lib.dump(target.pid)[target.pid]
        main = threads[target.pid]
        check("mix: main thread in select", main["wait"] == "select", main["wait"])
        found = {tid: match[1] for tid, thread in threads.items()
                 if (match := ON_STACK.search(str(thread["object"])))}
        check("mix: what waits on its own stack is said to", found and
              all(int(owner) == tid for tid, owner in found.items()), found)
        for kind in ("io_uring", "page fault"):
            if kind not in kinds:
                lib.note(f"no {kind}: this kernel does not let us")


def test_after_stop() -> None:
    """A stop restarts system calls, some of them under another number."""
    with lib.workload("mix", 80, "--no-vfork") as target:
        os.kill(target.pid, signal.SIGSTOP)
        lib.wait_settled(target.pid, "T")
        threads = lib.dump(target.pid)[target.pid]
        wrong = [(tid, thread["state"], thread["wait"]) for tid, thread in threads.items()
                 if (thread["state"], thread["wait"]) != ("stopped", "stopped")]
        check(f"mix stopped: {len(threads)} threads", threads and not wrong, wrong[:10])
        os.kill(target.pid, signal.SIGCONT)
        lib.wait_settled(target.pid)
        check_kinds("mix continued", target, set())


def test_spin() -> None:
    with lib.workload("spin", SPINNERS) as target:
        lib.wait_for("spinners", lambda: len(lib.tids(target.pid)) == SPINNERS + 1)
        threads = [thread for tid, thread in lib.dump(target.pid)[target.pid].items()
                   if tid != target.pid]
        check("spin: all threads there", len(threads) == SPINNERS, len(threads))
        wrong = [(thread["tid"], thread["state"], thread["wait"]) for thread in threads
                 if thread["state"] not in ("running", "runnable") or
                 thread["wait"] != thread["state"]]
        check("spin: running or runnable, and called so", not wrong, wrong)
        stacks = [[frame.get("function") for frame in lib.frames_of(thread)]
                  for thread in threads if thread.get("frames")]
        wrong = [stack for stack in stacks
                 if stack[:3] != ["spin_inner", "spin_outer", "spin_main"]]
        check(f"spin: {len(stacks)} stacks of running threads are true", stacks and not wrong,
              wrong or "no thread has a stack")


def test_vforker() -> None:
    with lib.workload("vforker") as target:
        threads = lib.dump(target.pid)[target.pid]
        vfork = [thread for thread in threads.values() if thread["comm"] == "vfork"]
        check("vforker: the thread in state D is there", len(vfork) == 1, sorted(threads))
        for thread in vfork:
            names = [frame.get("function") for frame in lib.frames_of(thread)]
            check("vforker: blocked in child wait",
                  (thread["state"], thread["wait"]) == ("blocked", "child wait"),
                  (thread["state"], thread["wait"]))
            check("vforker: its stack", thread.get("quality") == "complete" and
                  names[1:3] == ["vfork_wait", "vfork_main"], names)


def test_zombie_leader() -> None:
    with lib.workload("zombie_leader") as target:
        threads = lib.dump(target.pid)[target.pid]
        leader = threads.get(target.pid, {})
        check("zombie_leader: leader a zombie", leader.get("state") == "zombie" and
              leader.get("wait") == "zombie", leader)
        others = [thread for tid, thread in threads.items() if tid != target.pid]
        check("zombie_leader: three others with complete stacks", len(others) == 3 and
              all(thread["quality"] == "complete" for thread in others), others)


def test_garbage() -> None:
    if not (lib.WORKLOADS / "garbage").exists():
        skip("garbage", "not built for this machine")
        return
    with lib.workload("garbage") as target:
        threads = [thread for tid, thread in lib.dump(target.pid)[target.pid].items()
                   if tid != target.pid]
        check("garbage: all threads there", len(threads) == len(lib.tids(target.pid)) - 1)
        wrong = [thread["comm"] for thread in threads
                 if [frame.get("function") for frame in lib.frames_of(thread)][:1] != ["block_on"]]
        check("garbage: where each blocks is known", not wrong, wrong)
        # Words that look like return addresses may well end at a root by chance.
        wrong = [thread["comm"] for thread in threads
                 if thread.get("quality") == "complete" and thread["comm"] != "code"]
        check("garbage: no stack is called complete", not wrong, wrong)


def test_python() -> None:
    with lib.python_threads() as target:
        waits = {thread["wait"] for thread in lib.dump(target.pid)[target.pid].values()}
        # Its locks are semaphores, its own sleep a clock_nanosleep.
        wanted = {"sem wait", "accept", "sleep", "select", "read"}
        check("python3: its waits", wanted <= waits, waits)


# Its thread reads from a pipe, whose descriptor another file then gets.
REUSER = """
import os, sys, threading
ends = os.pipe()
threading.Thread(target=os.read, args=(ends[0], 1), daemon=True).start()
print("ready", flush=True)
sys.stdin.readline()
file = os.open(sys.argv[1], os.O_RDWR)
os.dup2(file, ends[0])
print("reused", flush=True)
sys.stdin.read()
"""


def test_reused_descriptor() -> None:
    with lib.scratch_dir() as path, \
            lib.running("reuser", [sys.executable, "-c", REUSER, str(path / "log")]) as target:
        (path / "log").touch()
        target.read_until("ready")
        lib.wait_settled(target.pid)
        target.proc.stdin.write(b"\n")
        target.proc.stdin.flush()
        target.read_until("reused")
        lib.wait_settled(target.pid)
        objects = [thread["object"] for thread in lib.dump(target.pid)[target.pid].values()]
        check("reused descriptor: what it is now is not what the thread waits for",
              any(f"(now {path}/log)" in str(object) for object in objects), objects)


def main() -> None:
    lib.need_loiter()
    attempt("coverage", test_coverage)
    for variant in ("mix", "mix-O0", "mix-static", "mix-static-pie", "mixcpp"):
        attempt(variant, test_variant, variant, set())
    # Where functions have no names, what only they tell cannot be known.
    for variant in ("mix-stripped", "mix-musl"):
        attempt(variant, test_variant, variant, SYSCALL_KINDS)
    attempt("stop", test_after_stop)
    attempt("spin", test_spin)
    attempt("vforker", test_vforker)
    attempt("zombie_leader", test_zombie_leader)
    attempt("garbage", test_garbage)
    attempt("python3", test_python)
    attempt("reused descriptor", test_reused_descriptor)
    lib.finish()


if __name__ == "__main__":
    main()
