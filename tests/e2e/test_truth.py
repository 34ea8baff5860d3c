#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Stacks are the truth: idle, every thread's frames equal those of eu-stack and of the workload's
own notes; under load, every stack that loiter stands by is one that can be."""
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Callable, ContextManager, Iterable, Optional

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
import truth as truth_lib
from lib import Pcs, Target, Thread, attempt, check, skip

ROUNDS_MAX = 10
LOAD_SAMPLES = lib.sized(20, 2)
POSTGRES_WORKERS = lib.sized(20, 1)
MIX_THREADS = lib.sized(200, 60)
MIX_VARIANTS = lib.sized(("mix", "mix-O0", "mix-static", "mix-static-pie", "mix-stripped"),
                         ("mix", "mix-static-pie"))


# --- idle -------------------------------------------------------------------------------------

def compare_once(pid: int) -> dict[int, str]:
    """Returns the threads on which the two observers differ now, with how."""
    ours = lib.dump(pid)[pid]
    theirs = lib.eu_stack(pid)
    wrong = {}
    for tid in set(ours) | set(theirs):
        if tid not in ours or tid not in theirs:
            wrong[tid] = f"only in {'loiter' if tid in ours else 'eu-stack'}"
        elif not theirs[tid]:
            wrong[tid] = "eu-stack has no frames"
        elif lib.pcs_of(ours[tid]) != theirs[tid]:
            wrong[tid] = lib.show_stacks(lib.pcs_of(ours[tid]), theirs[tid])
    return wrong


def check_idle(name: str, pid: int, rounds_max: int) -> None:
    """Every thread must agree; one that wakes between the two looks gets as many more as said."""
    cnt = len(lib.tids(pid))
    wrong = compare_once(pid)
    rounds = 1
    while wrong and rounds < rounds_max:
        again = compare_once(pid)
        wrong = {tid: how for tid, how in again.items() if tid in wrong}
        rounds += 1
    check(f"{name}: {cnt} threads equal to eu-stack", not wrong,
          f"{len(wrong)} of {cnt} differ in {rounds} rounds\n" +
          "\n".join(f"{tid}: {how}" for tid, how in sorted(wrong.items())[:10]))


def incomplete(pid: int) -> list[tuple]:
    """Returns the threads that are missing, not blocked or without a complete stack."""
    threads = lib.dump(pid)[pid]
    missing = [(tid, "missing") for tid in lib.tids(pid) if tid not in threads]
    return missing + [(tid, thread["comm"], thread["state"], thread.get("quality"))
                      for tid, thread in threads.items()
                      if thread["state"] != "blocked" or thread.get("quality") != "complete"]


def check_complete(name: str, pid: int, rounds_max: int) -> None:
    """Every thread must be blocked with a complete stack, in one of the rounds at least."""
    cnt = len(lib.tids(pid))
    wrong = incomplete(pid)
    rounds = 1
    while wrong and rounds < rounds_max:
        wrong = incomplete(pid)
        rounds += 1
    check(f"{name}: {cnt} threads blocked, stacks complete", not wrong,
          f"{len(wrong)} are not\n" + "\n".join(map(str, wrong[:10])))


def check_untouched(name: str, pid: int) -> None:
    """No thread of an idle target may run because loiter looks."""
    lib.wait_settled(pid)  # the thread that says "ready" has still to block
    before = lib.switches(pid)
    threads = lib.dump(pid)[pid]
    after = lib.switches(pid)
    moved = [tid for tid in before if before[tid] != after.get(tid)]
    check(f"{name}: no context switch by being looked at", not moved, moved[:10])
    wrong = [(tid, sum(before[tid]), threads[tid]["runs"]) for tid in before
             if tid in threads and sum(before[tid]) != threads[tid]["runs"]]
    check(f"{name}: runs as the kernel counts them", not wrong, wrong[:10])


def check_truth(name: str, target: Target, threads: dict[int, Thread],
                same: Callable[[truth_lib.Truth, Thread], bool]) -> None:
    truths = truth_lib.parse_truth(target)
    wrong = [truth_lib.describe(truth, threads.get(truth.tid, {})) for truth in truths
             if truth.tid not in threads or not same(truth, threads[truth.tid])]
    check(f"{name}: function and line of {len(truths)} threads as they are",
          truths and not wrong, f"{len(wrong)} wrong\n" + "\n".join(map(str, wrong[:10])))


def check_nameless(name: str, pid: int) -> None:
    """A stripped program's functions have no names; the nearest symbol is not one."""
    named = {frame["function"] for thread in lib.dump(pid)[pid].values()
             for frame in lib.frames_of(thread)
             if (frame.get("module") or "").endswith(name) and frame.get("function")}
    check(f"{name}: no function of it is named", not named, named)


def test_mix(variant: str) -> None:
    # Without the parents of a vfork: ptrace, by which eu-stack reads, hangs on them.
    with lib.workload(variant, MIX_THREADS, "--no-vfork") as target:
        check_untouched(variant, target.pid)
        check_complete(variant, target.pid, 1)
        check_idle(variant, target.pid, rounds_max=1)
        if variant == "mix-stripped":
            check_nameless(variant, target.pid)
        else:
            check_truth(f"{variant} after eu-stack", target, lib.dump(target.pid)[target.pid],
                        truth_lib.same_stack)
    with lib.workload(variant, MIX_THREADS) as target:
        check_complete(f"{variant} with vfork", target.pid, 1)
        if variant != "mix-stripped":
            check_truth(f"{variant} with vfork", target, lib.dump(target.pid)[target.pid],
                        truth_lib.same_stack)


def test_mixcpp() -> None:
    with lib.workload("mixcpp") as target:
        check_complete("mixcpp", target.pid, 1)
        check_idle("mixcpp", target.pid, rounds_max=1)
        check_truth("mixcpp", target, lib.dump(target.pid)[target.pid],
                    truth_lib.contains_stack)


def test_musl() -> None:
    """musl's libc has no call frame information: what is said must be right as far as it goes."""
    if not (lib.WORKLOADS / "mix-musl").exists():
        skip("mix-musl", "musl-gcc is not installed")
        return
    with lib.workload("mix-musl", MIX_THREADS, "--no-vfork") as target:
        ours = lib.dump(target.pid)[target.pid]
        theirs = lib.eu_stack(target.pid)
        wrong = [tid for tid in theirs if tid not in ours or
                 lib.pcs_of(ours[tid])[:1] != theirs[tid][:1]]
        check(f"mix-musl: first frames of {len(theirs)} threads equal to eu-stack", not wrong,
              wrong[:10])
        lies = [truth_lib.describe(truth, ours[truth.tid])
                for truth in truth_lib.parse_truth(target)
                if ours[truth.tid].get("quality") == "complete" and
                not truth_lib.same_stack(truth, ours[truth.tid])]
        check("mix-musl: no wrong stack is called complete", not lies,
              "\n".join(map(str, lies[:10])))


def test_idle_server(name: str, start: Callable[[], ContextManager[Target]]) -> None:
    with start() as target:
        check_complete(name, target.pid, ROUNDS_MAX)
        check_idle(name, target.pid, ROUNDS_MAX)
        for i, child in enumerate(sorted(lib.children(target.pid))):
            check_idle(f"{name} child {i + 1}", child, ROUNDS_MAX)


def test_idle_postgres() -> None:
    with lib.postgres() as target, lib.psql_session(target) as backend:
        lib.wait_settled(backend)
        check_complete("postgres postmaster", target.pid, ROUNDS_MAX)
        check_idle("postgres postmaster", target.pid, ROUNDS_MAX)
        check_complete("postgres backend", backend, ROUNDS_MAX)
        check_idle("postgres backend", backend, ROUNDS_MAX)
        workers = [pid for pid in lib.children(target.pid) if pid != backend]
        for i, child in enumerate(workers[:POSTGRES_WORKERS]):
            check_idle(f"postgres worker {i + 1}", child, ROUNDS_MAX)


SIGNAL_FRAME = re.compile(r"^#\d+\s+0x([0-9a-f]+) __restore_rt", re.M)


def test_signal_frames() -> None:
    """What a handler returns to is named as it is: the kernel put its address there, no call."""
    with lib.workload("mix", MIX_THREADS, "--no-vfork") as target:
        wanted = {int(pc, 16) for pc in SIGNAL_FRAME.findall(lib.run_eu_stack(target.pid))}
        frames = [frame for thread in lib.dump(target.pid)[target.pid].values()
                  for frame in lib.frames_of(thread) if int(frame["pc"], 16) in wanted]
    if not wanted:
        skip("frames of signals", "this libc does not name them")
        return
    wrong = [frame for frame in frames if frame["function"] != "__restore_rt" or frame["offset"]]
    check(f"mix: {len(frames)} frames of signals named", frames and not wrong, wrong[:3])


# --- under load -------------------------------------------------------------------------------

SYSCALL = b"\x0f\x05"
# mov $15, %rax; syscall: what a signal handler returns to, put there by the kernel, not by a call.
SIGRETURN = b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05"


class Code:
    """The machine code of a process, read once per address."""

    def __init__(self, pid: int) -> None:
        self._fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
        self._cache: dict[int, tuple[bytes, bytes]] = {}

    def close(self) -> None:
        os.close(self._fd)

    def around(self, pc: int) -> tuple[bytes, bytes]:
        """Returns the 8 bytes before @pc and the 9 from it on."""
        if pc not in self._cache:
            try:
                data = os.pread(self._fd, 17, pc - 8)
            except OSError:
                data = b""
            self._cache[pc] = (data[:8], data[8:])
        return self._cache[pc]


def indirect_call_len(code: bytes) -> int:
    """Returns the length of the call by register or memory that @code begins with, or 0."""
    if len(code) < 2 or code[0] != 0xff or code[1] >> 3 & 7 != 2:
        return 0
    mod, low = code[1] >> 6, code[1] & 7
    length = 2
    if mod != 3 and low == 4:
        if len(code) < 3:
            return 0
        length += 1
        if mod == 0 and code[2] & 7 == 5:
            length += 4
    if mod == 0 and low == 5 or mod == 2:
        length += 4
    if mod == 1:
        length += 1
    return length


def ends_in_call(before: bytes) -> bool:
    """Whether the bytes before an address end in a call, so that it can be a return address."""
    if len(before) == 8 and before[-5] == 0xe8:
        return True
    return any(indirect_call_len(before[-size:]) == size for size in range(2, 8)
               if len(before) >= size)


def fault_of_stack(code: Code, thread: Thread, roots: set[int]) -> Optional[str]:
    """Returns why this stack cannot be, or None."""
    pcs = lib.pcs_of(thread)
    if not pcs:
        return "no frames"
    # Asleep in a page fault, a thread stands at any instruction.
    if thread["state"] == "blocked" and thread["wait"] not in ("page fault", "disk") and \
            not code.around(pcs[0])[0].endswith(SYSCALL):
        return f"blocked at {pcs[0]:#x}, not after a system call"
    for i, pc in enumerate(pcs[1:], 1):
        before, after = code.around(pc)
        interrupted = code.around(pcs[i - 1])[1] == SIGRETURN
        if not interrupted and after != SIGRETURN and not ends_in_call(before):
            return f"frame {i}, {pc:#x}, is not behind a call"
    if pcs[-1] not in roots:
        return f"ends at {pcs[-1]:#x}, which is no thread's first frame"
    return None


def busy_fault(thread: Thread) -> Optional[str]:
    """Returns why this is no stack of the workload busy, or None: see busy.c."""
    names = [frame.get("function") for frame in lib.frames_of(thread)][::-1]
    if "busy_main" not in names:
        return None if thread["comm"] == "busy" else f"no busy_main: {names}"
    names = names[names.index("busy_main") + 1:]
    turns = []
    for name in names:
        if name not in ("left", "right"):
            break
        turns.append(name)
    if any(a != b for a, b in zip(turns, turns[8:])) or len(turns) > 16:
        return f"turns of two moments: {turns}"
    rest = names[len(turns):]
    if rest and rest[0] == "take_token" and len(turns) == 16:
        return None if rest[1:2] in ([], ["take_by_cond"], ["take_by_pipe"]) else f"{rest}"
    if "left" in rest or "right" in rest or "take_token" in rest:
        return f"take_token after {len(turns)} turns, then {rest}"
    return None


def sample(pids: Callable[[], list[int]]) -> Iterable[tuple[int, Thread]]:
    """Yields every thread of each of LOAD_SAMPLES dumps."""
    for _ in range(LOAD_SAMPLES):
        wanted = pids()
        try:
            processes = lib.dump(*wanted)
        except RuntimeError:
            if all(os.path.exists(f"/proc/{pid}") for pid in wanted):
                raise
            continue  # one of a server's short-lived workers ended first
        for pid, threads in processes.items():
            for thread in threads.values():
                yield pid, thread


def check_load(name: str, pids: Callable[[], list[int]], roots: set[int],
               more: Callable[[Thread], Optional[str]] = lambda thread: None) -> None:
    """Every stack that loiter stands by must be possible, and half of all must be such."""
    codes: dict[int, Code] = {}
    total = stable = 0
    faults = []
    try:
        for pid, thread in sample(pids):
            total += 1
            if not lib.is_stable(thread):
                continue
            stable += 1
            try:
                if pid not in codes:
                    codes[pid] = Code(pid)
                fault = fault_of_stack(codes[pid], thread, roots) or more(thread)
            except FileNotFoundError:
                continue
            # The code of a process that has ended meanwhile cannot be read any more.
            if fault and os.path.exists(f"/proc/{pid}"):
                faults.append(f"{pid}/{thread['tid']} {thread['comm']}: {fault}")
    finally:
        for code in codes.values():
            code.close()
    check(f"{name}: {stable} stable stacks are true", stable and not faults,
          f"{len(faults)} of {stable} cannot be\n" + "\n".join(faults[:10]))
    check(f"{name}: {stable} of {total} threads stable, at least half", stable * 2 >= total)


def roots_of(pid: int) -> set[int]:
    return {pcs[-1] for pcs in lib.eu_stack(pid).values() if pcs}


def idle_stacks(pid: int) -> dict[int, Pcs]:
    return {tid: pcs for tid, pcs in lib.eu_stack(pid).items() if pcs}


def check_sleepers(name: str, pid: int, before: dict[int, Pcs],
                   runs: dict[int, tuple[int, int]]) -> None:
    """A thread that never ran since eu-stack saw it must have the stack it had then."""
    threads = lib.dump(pid)[pid]
    now = lib.switches(pid)
    still = [tid for tid in before if tid in threads and now.get(tid) == runs.get(tid)]
    wrong = [tid for tid in still if lib.pcs_of(threads[tid]) != before[tid]]
    check(f"{name}: {len(still)} threads that did not run as eu-stack saw them", still and not wrong,
          wrong or "no such thread")


def test_load_redis() -> None:
    with lib.redis() as target:
        roots = roots_of(target.pid)
        stacks = idle_stacks(target.pid)
        lib.wait_settled(target.pid)
        runs = lib.switches(target.pid)
        argv = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(target.port), "-c", "20", "-l",
                "-q", "-t", "set,get,lpush,lrange_100"]
        with lib.running("redis-benchmark", argv, stderr=subprocess.DEVNULL):
            main = lib.switches(target.pid)[target.pid]
            lib.wait_for("load", lambda: sum(lib.switches(target.pid)[target.pid]) > sum(main) + 50)
            check_load("redis under load", lambda: [target.pid], roots)
            check_sleepers("redis under load", target.pid, stacks, runs)


def test_load_postgres() -> None:
    if lib.skip_in_vm("postgres under load", "it takes all of the processor"):
        return
    pgbench = lib.postgres_program("pgbench")
    if not pgbench:
        skip("postgres under load", "pgbench is not installed")
        return
    with lib.postgres() as target:
        argv = [pgbench, "-h", "127.0.0.1", "-p", str(target.port), "-U", "postgres"]
        subprocess.run([*argv, "-i", "-q", "postgres"], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        roots = roots_of(target.pid)
        base = len(lib.children(target.pid))
        with lib.running("pgbench", [*argv, "-c", "4", "-T", "3600", "postgres"],
                         stderr=subprocess.DEVNULL):
            lib.wait_for("backends", lambda: len(lib.children(target.pid)) >= base + 4)
            check_load("postgres under load",
                       lambda: [target.pid, *lib.children(target.pid)], roots)


def test_load_busy() -> None:
    with lib.workload("busy", 40, 4) as target:
        roots = roots_of(target.pid)
        before = lib.switches(target.pid)
        check_load("busy", lambda: [target.pid], roots, busy_fault)
        after = lib.switches(target.pid)
        asleep = [tid for tid in before if tid != target.pid and
                  sum(after[tid]) < sum(before[tid]) + LOAD_SAMPLES]
        check("busy: every thread ran between the looks", not asleep, asleep)


# --- all --------------------------------------------------------------------------------------

SERVERS = (("redis-server", "redis", lib.redis), ("memcached", "memcached", lib.memcached),
           ("nginx", "nginx", lib.nginx))


def main() -> None:
    lib.need_loiter()
    for variant in MIX_VARIANTS:
        attempt(variant, test_mix, variant)
    attempt("frames of signals", test_signal_frames)
    attempt("mixcpp", test_mixcpp)
    attempt("mix-musl", test_musl)
    attempt("python3", test_idle_server, "python3", lib.python_threads)
    for program, name, start in SERVERS:
        if lib.find_program(program):
            attempt(name, test_idle_server, name, start)
        else:
            skip(name, f"{program} is not installed")
    if lib.postgres_program("initdb"):
        attempt("postgres", test_idle_postgres)
        attempt("postgres under load", test_load_postgres)
    else:
        skip("postgres", "initdb is not installed")
    if lib.find_program("redis-benchmark"):
        attempt("redis under load", test_load_redis)
    else:
        skip("redis under load", "redis-benchmark is not installed")
    attempt("busy", test_load_busy)
    lib.finish()


if __name__ == "__main__":
    main()
