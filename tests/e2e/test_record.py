#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter record: true stacks, all of the time, and what never ends.

Stacks are checked by walking a sample of them again in user space (--verify), times by adding them
up: what a thread was blocked, queued and on a CPU is the window.
"""
import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Optional

import lib
from lib import LOITER, attempt, check, finish, need_loiter, note, redis, skip, workload
from recording import (Report, by_thread, functions, judged, record, recording, report_of,
                       share_complete, spans_of)

SHARE_COMPLETE = lib.sized(0.99, 0.8)  # the first ones, until they are learned, lack
CONSERVED_SHARE = 0.01
LEAST_VERIFIED = lib.sized(20, 10)
WINDOW_S = lib.sized(3, 1)
LOAD_WINDOW_S = 3


def report_verified(name: str, *args: object) -> Optional[Report]:
    """Records all that threads did, by thread; of the stacks a part is walked again."""
    return judged(name, *args, "--by", "wall", "--by-thread", verified=LEAST_VERIFIED, every=8)


def check_complete(name: str, report: Report) -> None:
    complete, count = share_complete(report)
    note(f"{name}: {complete} of {count} blocks have a complete stack")
    check(f"{name}: stacks are complete", count and complete >= SHARE_COMPLETE * count,
          f"{complete} of {count}, lost {report['losses']}")


def check_conserved(name: str, report: Report) -> None:
    window = report["window_ns"]
    sums = by_thread(report)
    off = {tid: total / window for tid, total in sums.items()
           if abs(total - window) > CONSERVED_SHARE * window}
    check(f"{name}: each thread's time is the window", sums and not off, off)


def test_redis() -> None:
    benchmark = shutil.which("redis-benchmark")
    if not benchmark:
        skip("redis", "no redis-benchmark")
        return
    name = "redis under load"
    with redis() as target:
        load = subprocess.Popen([benchmark, "-p", str(target.port), "-q", "-n", "100000000",
                                 "-t", "get"], stdout=subprocess.DEVNULL)
        try:
            report = report_verified(name, "-p", target.pid, "-d", f"{LOAD_WINDOW_S}s")
        finally:
            lib.stop_process(load)
    if report:
        check_complete(name, report)
        check_conserved(name, report)


def test_busy() -> None:
    with workload(*lib.BUSY) as target:
        report = report_verified("busy", "-p", target.pid, "-d", f"{WINDOW_S}s")
    if report:
        check_complete("busy", report)
        check_conserved("busy", report)


def test_mix() -> None:
    with workload("mix", "--no-vfork") as target:
        report = report_of("mix", "-p", target.pid, "-d", f"{WINDOW_S}s", "--by", "wall",
                           "--by-thread")
        if not report:
            return
        check("mix: every thread is there", sorted(by_thread(report)) == lib.tids(target.pid),
              f"{len(by_thread(report))} of {len(lib.tids(target.pid))}")
    check_conserved("mix", report)


def check_never_ends(count: int) -> None:
    name = f"{count} threads blocked for ever"
    with workload("herd", count) as target:
        report = report_of(name, "-p", target.pid, "-d", "1s")
        if not report:
            return
        herd = [span for span in spans_of(report) if span["wait"] == "cond wait"]
        total = sum(span["total_ns"] for span in herd)
        check(f"{name}: all of them", sum(len(span["tids"]) for span in herd) == count, herd[:2])
        check(f"{name}: each the whole window", total == count * report["window_ns"],
              f"{total} of {count * report['window_ns']}")
        check(f"{name}: marked as not over", herd and all(span["open"] for span in herd))


def test_stopped() -> None:
    """A stop is no part of the system call that it came in."""
    with workload("zombie_leader", "busy") as target:
        with recording("-p", target.pid, "-d", "0") as running:
            os.kill(target.pid, signal.SIGSTOP)
            lib.wait_for("the stop", lambda: all(lib.has_state(target.pid, tid, "T")
                                                 for tid in lib.tids(target.pid)
                                                 if tid != target.pid))
            os.kill(target.pid, signal.SIGCONT)
            _, out, _ = running.stop()
        waits = Counter(span["wait"] for span in spans_of(json.loads(out), "blocked"))
        check("stopped: and went on", waits["stopped"] and waits["sleep"], waits)
        os.kill(target.pid, signal.SIGSTOP)
        report = report_of("stopped all the time", "-p", target.pid, "-d", "1s")
        waits = Counter(span["wait"] for span in spans_of(report, "blocked")) if report else {}
        check("stopped: nothing else", set(waits) == {"stopped"}, waits)
        os.kill(target.pid, signal.SIGCONT)


def test_never_ends() -> None:
    check_never_ends(200)
    check_never_ends(lib.sized(14_000, 1000))


def test_interrupt() -> None:
    """Ctrl-C ends a recording that nothing else would; what there is by then is the report."""
    with workload(*lib.sized(lib.BUSY, ("mix", 60))) as target, \
            recording("-p", target.pid, "-d", "0") as running:
        status, out, err = running.stop()
        check("Ctrl-C: a report", status == 0, f"{status}: {err}")
        check("Ctrl-C: of what there was", out and json.loads(out)["window_ns"] > 0 and
              json.loads(out)["processes"][0]["thread_count"] == len(lib.tids(target.pid)),
              out[:200])


def test_exit() -> None:
    """The target's end is the recording's; where its threads were is known after it is gone."""
    with workload("exiting", 20) as target, recording("-p", target.pid, "-d", "600s") as running:
        target.stop()
        status, out, err = running.end()
    if not check("the target's exit ends the recording", status == 0, f"{status}: {err}"):
        return
    report = json.loads(out)
    waits = [span for span in spans_of(report, "blocked")
             if "exit_wait" in functions(span["frames"])]
    check("exit: all threads are in the report",
          sum(len(span["tids"]) for span in waits) == 20, [functions(span["frames"]) for span in spans_of(report)])
    check("exit: blocked up to the end",
          all(0 < span["max_ns"] <= report["window_ns"] for span in waits), waits[:1])


def test_capture() -> None:
    with workload(*lib.BUSY) as target, lib.scratch_dir() as path:
        saved = path / "busy.loiter"
        done = record("-p", target.pid, "-d", "1s", "--save", saved, "-f", "folded")
        check("save: recorded", done.returncode == 0, done.stderr)
        again = subprocess.run([str(LOITER), "replay", str(saved), "-f", "folded"],
                               stdout=subprocess.PIPE, text=True, check=False)
        check("replay: the same bytes", again.stdout == done.stdout and done.stdout)
        for by in ("run-queue", "waker", "on-cpu", "wall"):
            other = subprocess.run([str(LOITER), "replay", str(saved), "--by", by],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            check(f"replay: --by {by}", other.returncode == 0 and other.stdout, other.stderr)


def test_flamegraph(script: Path = Path("/usr/share/perl5/Devel/NYTProf/flamegraph.pl")) -> None:
    if not script.exists():
        skip("flame graph", f"no {script}")
        return
    with workload(*lib.BUSY) as target:
        folded = record("-p", target.pid, "-d", "1s", "-f", "folded").stdout
        drawn = subprocess.run(["perl", str(script), "--countname=us"], input=folded,
                               stdout=subprocess.PIPE, text=True, check=False)
        check("flamegraph.pl draws it", drawn.returncode == 0 and "</svg>" in drawn.stdout)


def main() -> None:
    need_loiter()
    for test in (test_redis, test_busy, test_mix, test_stopped, test_never_ends,
                 test_interrupt, test_exit, test_capture, test_flamegraph):
        attempt(test.__name__, test)
    finish()


if __name__ == "__main__":
    main()
