#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Two loiters at once do not disturb each other, and a loiter that is killed leaves nothing behind:
no program, link, map or pinned object in the kernel, and a target that noticed nothing."""
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
import recording
from lib import attempt, check, note, skip

PAIRS = lib.sized(20, 2)
DUMPS = lib.sized(40, 4)
KILLS = lib.sized(60, 4)
AT_ONCE = lib.sized(12, 4)
SEED = 20261123
CAP_SYS_ADMIN = 21
THREADS = lib.sized(2000, 200)
Objects = dict[str, set[int]]


def bpf_objects(bpftool: str) -> Objects:
    """Returns the ids of what there is of BPF in the kernel, by kind."""
    ret = {}
    for kind in ("prog", "map", "link", "btf"):
        done = subprocess.run([bpftool, "-j", kind, "show"], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, check=False)
        ret[kind] = {entry["id"] for entry in json.loads(done.stdout or "[]")}
    return ret


def loiter_programs(bpftool: str) -> list[str]:
    done = subprocess.run([bpftool, "-j", "prog", "show"], stdout=subprocess.PIPE, text=True,
                          check=True)
    return [entry.get("name", "") for entry in json.loads(done.stdout or "[]")
            if any(pid["comm"] == "loiter" for pid in entry.get("pids", []))]


def start(*args: object) -> subprocess.Popen:
    return subprocess.Popen([str(lib.LOITER), *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def new_objects(before: Objects, after: Objects) -> Objects:
    return {kind: after[kind] - before[kind] for kind in after if after[kind] - before[kind]}


def stacks_of(report: str) -> dict[int, Any]:
    return {thread["tid"]: (thread["state"], thread["wait"], thread["quality"],
                            lib.pcs_of(thread))
            for thread in json.loads(report)["processes"][0]["threads"]}


def test_two_at_once() -> None:
    with lib.workload("mix", 200) as target:
        alone = stacks_of(lib.run_loiter("dump", "-p", target.pid, "-f", "json").stdout)
        wrong = []
        for _ in range(PAIRS):
            procs = [start("dump", "-p", target.pid, "-f", "json") for _ in range(2)]
            for proc in procs:
                output, errors = proc.communicate(timeout=lib.DEADLINE_S)
                if proc.returncode or errors or stacks_of(output) != alone:
                    wrong.append(f"status {proc.returncode}: {errors[:300]}")
        check(f"two at once, {PAIRS} times: both say what one alone says", len(alone) > 199 and
              not wrong, wrong[:5])
        procs = [start("dump", "-p", target.pid, "-f", "json") for _ in range(AT_ONCE)]
        outputs = [proc.communicate(timeout=lib.DEADLINE_S) for proc in procs]
        check(f"{AT_ONCE} at once: all say it", not any(proc.returncode for proc in procs) and
              all(stacks_of(output) == alone for output, _ in outputs),
              [errors for _, errors in outputs])
    with lib.workload("spin", 2) as target:
        procs = [start("dump", "-p", target.pid, "-f", "json") for _ in range(2)]
        outputs = [proc.communicate(timeout=lib.DEADLINE_S) for proc in procs]
        states = [[thread[0] for tid, thread in stacks_of(output).items() if tid != target.pid]
                  for output, _ in outputs]
        check("two at once on running threads", all(
            len(of) == 2 and set(of) <= {"running", "runnable"} for of in states), states)


def task_state(pid: int) -> dict[int, tuple[str, ...]]:
    return {tid: tuple(of.get(name, "?").strip() for name in (
        "State", "TracerPid", "SigPnd", "ShdPnd", "voluntary_ctxt_switches",
        "nonvoluntary_ctxt_switches")) for tid in lib.tids(pid)
            for of in [lib.status_fields(pid, tid)]}


def kill_at(pid: int, delay_s: float) -> int:
    """Starts a loiter on @pid, kills it after @delay_s and returns its status."""
    proc = start("dump", "-p", pid, "-f", "json")
    time.sleep(delay_s)
    proc.kill()
    proc.communicate(timeout=lib.DEADLINE_S)
    return proc.returncode


def test_killed() -> None:
    bpftool = lib.find_program("bpftool")
    if not bpftool:
        skip("killed", "there is no bpftool to look with")
        return
    rand = random.Random(SEED)
    with lib.workload("herd", THREADS) as target:
        started = time.monotonic()
        lib.run_loiter("dump", "-p", target.pid, "-f", "json")
        whole_s = time.monotonic() - started
        objects, tasks = bpf_objects(bpftool), task_state(target.pid)
        pins = sorted(os.listdir("/sys/fs/bpf"))
        killed = [kill_at(target.pid, rand.uniform(0, whole_s)) == -signal.SIGKILL
                  for _ in range(KILLS)]
        note(f"{sum(killed)} of {KILLS} were killed before they were done, in {whole_s:.3f} s")
        check("killed at random moments: some were, indeed", sum(killed) > KILLS // 4, killed)
        # The kernel frees programs a moment after their last holder ended.
        left: Objects = {}

        def nothing_left() -> bool:
            left.clear()
            left.update(new_objects(objects, bpf_objects(bpftool)))
            return not left
        try:
            lib.wait_for("the kernel to free loiter's objects", nothing_left)
        except TimeoutError:
            pass
        check("killed: no program, map, link or BTF left", not left, left)
        check("killed: no program of a loiter", not loiter_programs(bpftool))
        check("killed: nothing pinned", sorted(os.listdir("/sys/fs/bpf")) == pins)
        after = task_state(target.pid)
        changed = {tid: (tasks.get(tid), after.get(tid)) for tid in tasks.keys() | after.keys()
                   if tasks.get(tid) != after.get(tid)}
        check("killed: the target noticed nothing", not changed, list(changed.items())[:5])
        check("killed: the next loiter works", len(lib.dump(target.pid)[target.pid]) ==
              THREADS + 1)


def test_untouched_meanwhile() -> None:
    """While it is dumped again and again, no thread is ever seen stopped or traced."""
    with lib.workload("herd", 200) as target:
        done = threading.Event()
        seen = set()

        def watch() -> None:
            while not done.is_set():
                for tid in lib.tids(target.pid):
                    of = lib.status_fields(target.pid, tid)
                    seen.add((of.get("State", "?")[0], of.get("TracerPid", "?").strip()))
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            statuses = [lib.run_loiter("dump", "-p", target.pid).returncode for _ in range(DUMPS)]
        finally:
            done.set()
            watcher.join()
        check("while it is dumped: never stopped, never traced",
              not any(statuses) and seen and seen <= {("S", "0")}, (seen, statuses))


def test_power() -> None:
    """What parses the files of others has no more power than that takes: nothing with which to
    mount, load modules or enter namespaces, also where the CPU clock is opened with it."""
    with lib.workload("herd", 3) as target:
        for args in (["--by", "wall"], ["--by", "futex"]):
            name = f"record {' '.join(args)}"
            with recording.recording("-d", "0", "-p", target.pid, *args) as running:
                pid = running.proc.pid
                caps = int(lib.status_fields(pid, pid)["CapEff"], 16)
                status, _, notes = running.stop()
            check(f"{name}: works", status == 0, notes)
            check(f"{name}: without CAP_SYS_ADMIN", not caps >> CAP_SYS_ADMIN & 1, hex(caps))


def main() -> None:
    lib.need_loiter()
    for test in (test_two_at_once, test_killed, test_untouched_meanwhile, test_power):
        attempt(test.__name__, test)
    lib.finish()


if __name__ == "__main__":
    main()
