#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Recordings of futex calls: what programs counted of their own calls, waits that began before the
recording or never end, libc's locks, and servers under load."""
import contextlib
import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Iterator, Optional

import lib
from lib import (LOITER, WORKLOADS, attempt, check, finish, has_preempt_rt, need_loiter, note,
                 skip, workload)
from recording import window_start_ns
from test_cgroup import cgroup, move

Futex = dict[str, Any]
Counts = dict[str, int]

WAITS = ("count", "timed_out", "changed", "failed")
WAKES = ("count", "woken", "moved", "nobody")
LEARNED_SHARE = lib.sized(0.5, 0)  # of calls that begin with the program, before it is learned
HELD = 20
HELD_ROUNDS = 5
HELD_SHARE = 0.95  # of the window that held threads wait, woken a few times
LATE = 30          # as TIMEOUTS of locks.c
UNCOUNTED_MAX = 100  # calls in a slice of the CPU, which a kernel misses without a word
TRIES = 5  # until it misses none
# What the words of futexes.c are for that not every kernel has.
CALLS = {"any_word": "futex_waitv, which is of 5.16",
         "new_word": "futex_wait and futex_wake, which are of 6.7"}
VERIFIED = re.compile(r"verified (\d+) stacks, (\d+) wrong")


def futexes_of(report: dict[str, Any], pid: Optional[int] = None) -> list[Futex]:
    return [futex for process in report["processes"] for futex in process["futexes"]
            if pid in (None, process["pid"])]


def by_name(report: dict[str, Any]) -> dict[str, Futex]:
    return {futex["name"]: futex for futex in futexes_of(report) if futex["name"]}


def record(*args: object) -> subprocess.CompletedProcess:
    return lib.run_loiter("record", "--by", "futex", *args)


def run_recorded(name: str, path: Path, *args: object) -> Optional[tuple[dict[str, Any], str, str]]:
    """Records the workload @args from its birth to its end. Returns the report, and what the
    workload and loiter wrote."""
    done = record("-f", "json", "-o", path / "report.json", "--verify", "10", "--",
                  WORKLOADS / str(args[0]), *args[1:])
    if not check(f"{name}: recorded", done.returncode == 0, done.stderr):
        return None
    return json.loads((path / "report.json").read_text()), done.stdout, done.stderr


def check_verified(name: str, stderr: str) -> None:
    found = VERIFIED.search(stderr)
    check(f"{name}: walks were verified, and none is wrong",
          found and int(found[1]) > 0 and found[2] == "0", stderr)


def functions(stack: dict[str, Any]) -> list[str]:
    return [frame["function"] for frame in stack["frames"]]


def check_stacks(name: str, futex: Futex, waiter: Optional[str], waker: Optional[str]) -> None:
    """Checks that whole stacks have the functions that the calls come from."""
    wrong = [stack for stack in futex["stacks"] if stack["quality"] == "complete"
             and (waiter if "total_ns" in stack else waker) not in (None, *functions(stack))]
    check(f"{name}: stacks are those of {waiter} and {waker}", not wrong, wrong[:1])


def share_with_stack(futex: Futex) -> float:
    whole = sum(stack["count"] for stack in futex["stacks"] if stack["quality"] == "complete")
    return whole / sum(stack["count"] for stack in futex["stacks"])


def missed(report: dict[str, Any]) -> int:
    """Returns how many events the kernel kept from loiter, by the report's own word. One that can
    be preempted within a program or within a map's system call runs no program meanwhile. Before
    6.7 it does not count these; of those kernels, the one with PREEMPT_RT can be preempted so."""
    return report["losses"].get("events_missed", UNCOUNTED_MAX if has_preempt_rt() else 0)


def differ_by(seen: dict[str, Counts], told: dict[str, Counts]) -> int:
    return sum(abs(seen[call][key] - told[call][key]) for call in seen for key in seen[call])


def read_tallies(text: str) -> list[dict[str, Any]]:
    """Returns what the workload counted of its own calls."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def seen_counts(futex: Futex) -> dict[str, Counts]:
    return {"waits": {key: futex["waits"][key] for key in WAITS},
            "wakes": {key: futex["wakes"][key] for key in WAKES}}


def lacks_uncounted(report: dict[str, Any], tallies: list[dict[str, Any]]) -> bool:
    """Whether calls lack in a recording on a kernel that does not count what it misses."""
    names = by_name(report)
    return has_preempt_rt() and any(
        tally["name"] not in names or differ_by(seen_counts(names[tally["name"]]), tally)
        for tally in tallies if tally["waits"]["count"] or tally["wakes"]["count"])


def test_counts() -> None:
    """Every call is counted, and as what it returned."""
    for _ in range(TRIES):
        with lib.scratch_dir() as path:
            recorded = run_recorded("count", path, "futexes", "count")
        if not recorded:
            return
        report, stdout, stderr = recorded
        tallies = read_tallies(stdout)
        if not lacks_uncounted(report, tallies):
            break
    told = report["losses"].get("events_missed", 0)
    names = by_name(report)
    for tally in tallies:
        if not tally["waits"]["count"] and not tally["wakes"]["count"]:
            skip(tally["name"], f"this kernel has no {CALLS[tally['name']]}")
            continue
        futex = names.get(tally["name"])
        calls = tally["waits"]["count"] + tally["wakes"]["count"]
        if not check(f"{tally['name']}: is there", futex or calls <= told,
                     (sorted(names), report["losses"])) or not futex:
            continue
        seen = seen_counts(futex)
        # A call that is missed lacks as one, and as what became of it.
        check(f"{tally['name']}: counts", differ_by(seen, tally) <= 2 * told,
              f"{tally}\n{seen}\n{report['losses']}")
        check(f"{tally['name']}: shared or not",
              futex["shared"] == (tally["name"] == "shared_word"))
        check_stacks(tally["name"], futex, tally["waiter"], tally["waker"])
    check("count: words were told of", stdout.endswith("ready\n"), stdout[-200:])
    waits = names["forever_word"]["waits"]
    check("forever_word: the process's end interrupts it",
          (waits["count"], waits["interrupted"], waits["open"]) == (1, 1, 0), waits)
    for name in ("lock_word", "turn_word"):
        check(f"{name}: most calls have a stack", share_with_stack(names[name]) > LEARNED_SHARE,
              share_with_stack(names[name]))
    check("count: nothing is over a maximum",
          not {"futexes_over_max", "futexes_untracked"} & set(report["losses"]), report["losses"])
    check_verified("count", stderr)


def slept(counts: Counts) -> int:
    """Returns how many waits were ended by a call that wakes."""
    return counts["count"] - sum(counts[key] for key in ("timed_out", "changed", "interrupted",
                                                         "failed", "open"))


def test_libc() -> None:
    with lib.scratch_dir() as path:
        recorded = run_recorded("locks", path, "locks")
    if not recorded:
        return
    report, _, stderr = recorded
    kinds = {"shared_mutex": "mutex lock", "signal_mutex": "mutex lock",
             "signal_cond": "cond wait", "late_cond": "cond wait", "late_sem": "sem wait",
             "barrier": "barrier wait"}
    found: dict[str, int] = dict.fromkeys(kinds, 0)
    late: dict[str, int] = dict.fromkeys(kinds, 0)
    for name, futex in by_name(report).items():
        symbol = name.split("+")[0]
        if symbol not in kinds or not futex["waits"]["count"]:
            continue
        found[symbol] += futex["waits"]["count"]
        late[symbol] += futex["waits"]["timed_out"]
        check(f"{name}: kind of wait", futex["wait"] == kinds[symbol], futex["wait"])
        check(f"{name}: who is woken was waiting",
              abs(slept(futex["waits"]) - futex["wakes"]["woken"]) <= missed(report), futex)
    check("locks: each was waited for", all(found.values()), found)
    check("locks: each wait that nobody ends timed out",
          all(LATE - missed(report) <= late[name] <= LATE for name in ("late_cond", "late_sem")),
          late)
    check("locks: no other did", sum(late.values()) == late["late_cond"] + late["late_sem"], late)
    check_verified("locks", stderr)


class Recording:
    """A recording that runs until it is told to end."""

    def __init__(self, path: Path, *args: object) -> None:
        self.out = path / "report.json"
        with open(path / "notes", "wb") as notes:
            self.proc = subprocess.Popen(
                [str(LOITER), "record", "--by", "futex", "-d", "0", "-f", "json", "-o",
                 str(self.out), *map(str, args)], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=notes)

    def has_begun(self) -> bool:
        return self.proc.poll() is not None or window_start_ns(self.proc.pid) > 0

    def stop(self) -> dict[str, Any]:
        self.proc.send_signal(signal.SIGINT)
        status = self.proc.wait(lib.DEADLINE_S)
        if status:
            raise RuntimeError(f"loiter ended with status {status}")
        return json.loads(self.out.read_text())


@contextlib.contextmanager
def recording(path: Path, *args: object) -> Iterator[Recording]:
    running = Recording(path, *args)
    try:
        lib.wait_for("the recording to begin", running.has_begun)
        yield running
    finally:
        lib.stop_process(running.proc)


def test_open() -> None:
    """Threads that wait when the recording begins, and still when it ends, waited all the time."""
    with workload("futexes", "hold", HELD) as target:
        done = record("-p", target.pid, "-d", "500ms", "-f", "json")
        if not check("held: recorded", done.returncode == 0, done.stderr):
            return
        report = json.loads(done.stdout)
        futex = by_name(report)["held_word"]
        waits = futex["waits"]
        check("held: each waits once, for the whole window",
              (waits["count"], waits["open"], waits["total_ns"], waits["max_ns"]) ==
              (HELD, HELD, HELD * report["window_ns"], report["window_ns"]), waits)
        check("held: with its stack", share_with_stack(futex) == 1, futex["stacks"])
        check_stacks("held", futex, "be_held", None)


def test_held() -> None:
    """Waits that began before the recording count from its start on when they end within it."""
    with workload("futexes", "hold", HELD) as target, lib.scratch_dir() as path, \
            recording(path, "-p", target.pid) as running:
        wake_held(target)
        report = running.stop()
    futex = by_name(report)["held_word"]
    waits, wakes = futex["waits"], futex["wakes"]
    whole = HELD * report["window_ns"]
    check("woken: some were", wakes["woken"] >= HELD, wakes)
    check_woken("woken", futex, report)
    check("woken: they waited nearly all the time", HELD_SHARE * whole < waits["total_ns"] +
          missed(report) * report["window_ns"] and waits["total_ns"] <= whole,
          f"{waits} of {whole}, {report['losses']}")
    check_stacks("woken", futex, "be_held", "let_go")


def check_woken(name: str, futex: Futex, report: dict[str, Any]) -> None:
    """Checks that each wait ended with a wake, but for the last ones. Of a call that is missed the
    wait lacks, and those that a wake ended that is missed seem to be too many."""
    waits, wakes = futex["waits"], futex["wakes"]
    off = abs(slept(waits) - wakes["woken"]) + HELD - waits["open"]
    check(f"{name}: each wait ended but the last ones", 0 <= off <= HELD * missed(report),
          (waits, wakes, report["losses"]))


def wake_held(target: lib.Target) -> None:
    """Wakes its threads a few times, each time when all of them wait."""
    before = lib.switches(target.pid)
    for _ in range(HELD_ROUNDS):
        time.sleep(0.5)
        target.proc.send_signal(signal.SIGUSR1)
        lib.wait_for("all to be woken", lambda: all(
            count[0] > before[tid][0] for tid, count in lib.switches(target.pid).items()))
        lib.wait_settled(target.pid)
        before = lib.switches(target.pid)


def test_arrival() -> None:
    """What a process that comes to the recording later waited before does not count."""
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(cgroup("cgroup2"))
        if not path:
            skip("arrival", "no cgroup can be made")
            return
        first, later = (stack.enter_context(workload("futexes", "hold", HELD)) for _ in range(2))
        move(first.pid, path)
        running = stack.enter_context(recording(stack.enter_context(lib.scratch_dir()),
                                                "--cgroup", path))
        begun_s = time.monotonic()
        time.sleep(1)
        before_s = time.monotonic() - begun_s
        move(later.pid, path)
        # Longer than it takes to be noticed.
        wake_held(later)
        report = running.stop()
    for name, pid in (("first", first.pid), ("later", later.pid)):
        futexes = futexes_of(report, pid)
        if not check(f"arrival, {name}: is there", futexes):
            return
        check_woken(f"arrival, {name}", futexes[0], report)
    waits = futexes_of(report, later.pid)[0]["waits"]
    check("arrival, later: waited since it came",
          waits["total_ns"] <= HELD * (report["window_ns"] - before_s * 1e9),
          f"{waits} of {report['window_ns']}, {before_s} s")


def test_stopped() -> None:
    """A wait that a stop interrupts goes on afterwards; one with a timeout as another call."""
    with lib.scratch_dir() as path:
        with recording(path, "--", WORKLOADS / "futexes", "stop") as running:
            target = lib.Target("futexes stop", running.proc)
            target.read_until("ready")
            pid = int(target.lines[0].split()[1])
            tids = lib.tids(pid)
            subprocess.run(["kill", "-STOP", str(pid)], check=True)
            lib.wait_for("the stop", lambda: all(lib.has_state(pid, tid, "T") for tid in tids))
            subprocess.run(["kill", "-CONT", str(pid)], check=True)
            lib.wait_settled(pid)
            report = running.stop()
            subprocess.run(["kill", "-KILL", str(pid)], check=True)
    for name in ("stopped_word", "forever_word"):
        waits = by_name(report)[name]["waits"]
        check(f"{name}: interrupted once, and goes on",
              (waits["count"], waits["interrupted"], waits["open"]) == (2, 1, 1), waits)
        check_stacks(name, by_name(report)[name],
                     "be_stopped" if name == "stopped_word" else "wait_for_ever", None)


def check_server(name: str, report: dict[str, Any], pid: int) -> None:
    """Checks what holds of any program but at the edges of the window, where a thread can be woken
    and not have returned."""
    threads = len(lib.tids(pid))
    futexes = futexes_of(report, pid)
    # The kernel itself wakes who joins a thread; others may wake by another process's address.
    private = [futex for futex in futexes if not futex["shared"]]
    wrong = [futex for futex in private if not futex["wakes"]["moved"]
             and abs(slept(futex["waits"]) - futex["wakes"]["woken"]) > threads + missed(report)]
    waits = sum(futex["waits"]["count"] for futex in futexes)
    wakes = sum(futex["wakes"]["count"] for futex in futexes)
    note(f"{name}: {waits} waits and {wakes} calls to wake for {len(futexes)} futexes, "
         f"lost {report['losses']}")
    check(f"{name}: futexes", futexes)
    check(f"{name}: who is woken was waiting", not wrong, wrong[:1])
    too_long = [futex for futex in futexes if futex["waits"]["max_ns"] > report["window_ns"]]
    check(f"{name}: nobody waits for longer than the window", not too_long, too_long[:1])
    check(f"{name}: nothing is over a maximum",
          not {"futexes_over_max", "futexes_untracked"} & set(report["losses"]), report["losses"])


def test_mariadb() -> None:
    slap = lib.find_program("mariadb-slap", "mysqlslap")
    if not lib.find_program("mariadbd") or not slap:
        skip("mariadb", "not installed")
        return
    with lib.mariadb() as target:
        load = subprocess.Popen(
            [slap, "--no-defaults", "-uroot", "-h127.0.0.1", f"-P{target.port}", "-c8", "-i100000",
             "--auto-generate-sql", "--auto-generate-sql-load-type=mixed",
             "--number-of-queries=400"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            done = record("-p", target.pid, "-d", "3s", "-f", "json")
            if check("mariadb: recorded", done.returncode == 0, done.stderr):
                check_server("mariadb", json.loads(done.stdout), target.pid)
        finally:
            lib.stop_process(load)


def test_redis() -> None:
    """Its background threads wait for work all the time."""
    if not lib.find_program("redis-server"):
        skip("redis", "not installed")
        return
    with lib.redis() as target:
        done = record("-p", target.pid, "-d", "1s", "-f", "json")
        if not check("redis: recorded", done.returncode == 0, done.stderr):
            return
        report = json.loads(done.stdout)
        check_server("redis", report, target.pid)
        idle = [futex["waits"] for futex in futexes_of(report) if futex["waits"]["open"]]
        check("redis: its threads wait", sum(waits["open"] for waits in idle) >= 3, idle)
        check("redis: all the time", all(waits["total_ns"] == waits["open"] * report["window_ns"]
                                         for waits in idle), idle)


def test_formats() -> None:
    with workload("futexes", "hold", HELD) as target, lib.scratch_dir() as path:
        saved, plain = path / "futexes.loiter", path / "plain.loiter"
        done = record("-p", target.pid, "-d", "300ms", "--save", saved)
        check("text: recorded", done.returncode == 0, done.stderr)
        check("text: the futex, its kind and its waiters",
              re.search(r"waited in \[futex\] on futex 0x[0-9a-f]+ \(held_word\), 20 times.*, "
                        r"20 not over\n", done.stdout) and "\tbe_held\n" in done.stdout,
              done.stdout)
        again = lib.run_loiter("replay", saved, "--by", "futex")
        check("replay: the same bytes", again.stdout == done.stdout, again.stderr)
        again = lib.run_loiter("replay", saved, "--by", "futex", "-f", "folded")
        check("folded: one tower", re.fullmatch(
            r"futexes;start_thread;be_held;\[futex 0x[0-9a-f]+ held_word\] \d+\n", again.stdout),
              again.stdout + again.stderr)
        for word in ("blocked", "wall", "waker"):
            again = lib.run_loiter("replay", saved, "--by", word)
            check(f"replay: --by {word} too", again.returncode == 0 and again.stdout, again.stderr)
        lib.run_loiter("record", "-p", target.pid, "-d", "100ms", "--save", plain)
        again = lib.run_loiter("replay", plain, "--by", "futex")
        check("replay: futexes were not recorded",
              again.returncode == 2 and "--by futex" in again.stderr, again.stderr)
        for args in (["-f", "pprof", "-o", path / "x"], ["-f", "html", "-o", path / "x"], ["-t"]):
            done = record("-p", target.pid, "-d", "100ms", *args)
            check(f"{' '.join(map(str, args[:2]))}: refused",
                  done.returncode == 2 and "by futex" in done.stderr, done.stderr)


def test_no_tracefs() -> None:
    """Where nobody has mounted the tracepoints' directory."""
    with workload("futexes", "hold", HELD) as target:
        script = ("umount -l /sys/kernel/tracing; umount -l /sys/kernel/debug; "
                  f"ls /sys/kernel/tracing/events; exec {lib.LOITER} record -q --by futex "
                  f"-d 100ms -p {target.pid}")
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=lib.DEADLINE_S,
                              check=False)
        check("no tracefs: it is not there", "ls:" in done.stderr, done.stderr)
        check("no tracefs: recorded all the same", done.returncode == 0 and
              "held_word" in done.stdout, done)


def main() -> None:
    need_loiter()
    for test in (test_counts, test_libc, test_open, test_held, test_arrival, test_stopped,
                 test_redis, test_mariadb, test_formats, test_no_tracefs):
        attempt(test.__name__, test)
    finish()


if __name__ == "__main__":
    main()
