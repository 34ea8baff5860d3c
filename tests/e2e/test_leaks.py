#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Threads that leak are told from those that only come and go, with who created them: the demo's
walk-through, workloads that know their own verdict, and what a long watch says. What takes its
time runs side by side."""
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Callable, Optional

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
from lib import LOITER, REPO, WORKLOADS, attempt_lines, check, finish, need_loiter, note
from leaking import (Group, Report, check_sums, counting, creator, ended_well, groups_of, place,
                     words)
from recording import Recording

DEMO = REPO / "build" / "demo-server"
STEPS_C = REPO / "demo" / "steps.c"
WINDOW_S = 30
PER_REQUEST = 5
GROWTH_SLACK = 0.05
MEMORY_MAX_KB = 60 * 1024
MANY = 100_000
FORMATS = ("text", "json", "folded", "html")


# --- the demo ---------------------------------------------------------------------------------

def start_demo(server: lib.Target) -> Callable[[str], bytes]:
    """Returns what asks @server for a page, once it is ready."""
    server.lines.clear()
    while not (line := server.read_line()).endswith(" ready"):
        server.lines.append(line)
    address = re.search(r" listening on (\S+)", "\n".join(server.lines))[1]

    def ask(path: str) -> bytes:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=lib.DEADLINE_S) as answer:
            return answer.read()
    return ask


def line_of(text: str) -> int:
    return STEPS_C.read_text().split(text)[0].count("\n") + 1


def leak_for_a_while(ask: Callable[[str], bytes], running: Recording) -> list[float]:
    """Makes a request in the middle of each second of the window. Returns when they were made, in
    seconds from its start: on a crowded machine that is later."""
    times = []
    for i in range(WINDOW_S):
        time.sleep(max(running.start_ns / 1e9 + i + 0.5 - time.monotonic(), 0))
        ask("/")
        times.append(time.monotonic() - running.start_ns / 1e9)
    time.sleep(max(running.start_ns / 1e9 + WINDOW_S - time.monotonic(), 0))
    return times


def growth_of(times: list[float], window_s: float) -> float:
    """Returns the slope of the straight line that fits best to threads that are born, five at a
    time, at @times, per minute."""
    points = [window_s * i / 1000 for i in range(1001)]
    counts = [PER_REQUEST * sum(born <= at for born in times) for at in points]
    mean_at, mean_count = sum(points) / len(points), sum(counts) / len(counts)
    return 60 * sum((at - mean_at) * (count - mean_count) for at, count in zip(points, counts)) / \
        sum((at - mean_at) ** 2 for at in points)


def check_leak(report: Report, pid: int, times: list[float]) -> None:
    leaks = [group for group in groups_of(report, pid) if group["verdict"] == "leak"]
    if not check("demo: one leak", len(leaks) == 1, [words(g) for g in groups_of(report, pid)]):
        return
    leak, cnt = leaks[0], PER_REQUEST * len(times)
    growth = growth_of(times, report["watch_ns"] / 1e9)
    check("demo: five threads a request, none ended",
          (leak["alive_start"], leak["born"], leak["ended"], leak["alive_end"]) == (0, cnt, 0, cnt),
          words(leak))
    note(f"demo: requests made it grow by {growth:.1f} a minute, loiter says "
         f"{leak['growth_per_min']:.1f}")
    check("demo: it grows by five a request", abs(leak["growth_per_min"] / growth - 1) <
          GROWTH_SLACK and leak["fit"] > 0.98, words(leak))
    check("demo: none ran once it was stuck", leak["watched"] > 0.5 * cnt and leak["ran"] == 0,
          words(leak))
    check("demo: start_threads created them, in its file and line",
          creator(leak) == "start_threads" and
          leak["creator"]["file"].endswith("demo/steps.c") and
          leak["creator"]["line"] == line_of("pthread_create(&self->thread, NULL, worker"),
          leak["creator"])
    check("demo: they wait in wait_for_cancel", place(leak) == "wait_for_cancel" and
          leak["blocked_at"]["wait"] == "cond wait", leak["blocked_at"])
    threads = report["processes"][0]["threads"]
    workers = [thread["tid"] for thread in threads if thread["comm"].startswith("worker-")]
    check("demo: their ids are the workers'", leak["tids"] == workers, (leak["tids"], workers))
    check("demo: each worker has its creator", all(
        any(frame["function"] == "start_threads" for frame in thread["created_by"]["frames"])
        for thread in threads if thread["tid"] in leak["tids"]))
    process = report["processes"][0]
    check("demo: a limit is told, and when it is reached",
          process["limits"] and process["reached_in_s"] > 0, process["limits"])


def check_replays(path: Path, live: str) -> None:
    """A capture gives what was printed live, and every format of it."""
    texts = {}
    for form in FORMATS:
        done = lib.run_loiter("replay", path, "-f", form)
        texts[form] = done.stdout
        check(f"demo: replay as {form}", done.returncode == 0 and done.stdout, done.stderr)
    check("demo: replay prints the same bytes", texts["json"] == live)
    line = line_of("pthread_create(&self->thread, NULL, worker")
    check("demo: as text it says so first", re.search(
        r"\n\nleak: 150 threads \[cond wait, [^\]]+\] created by start_threads at "
        rf"steps\.c:{line}\n  0 at the start, 150 born, 0 ended; grows by \d+ a minute \(fit "
        r"[01]\.\d\d\); none of the \d+ seen twice ran in between\n\twait_for_cancel\n",
        texts["text"]), texts["text"])
    check("demo: as folded stacks it has the creators",
          re.search(r"^demo-server;.*;handle_hello;start_threads 150$", texts["folded"], re.M),
          texts["folded"])
    for form in ("go", "threads", "pprof"):
        check(f"demo: it is none of {form}",
              lib.run_loiter("replay", path, "-f", form).returncode == 2)


def test_demo() -> None:
    with lib.scratch_dir() as path, \
            lib.running("demo-server", [str(DEMO), "--listen", "127.0.0.1:0"],
                        stderr=subprocess.STDOUT) as server:
        ask = start_demo(server)
        check("demo: at step 5", ask("/goto?step=5") == b"switched to step 5")
        with counting("-p", server.pid, "-d", "0", "--exit-code", "--save",
                      path / "leak.loiter") as running:
            times = leak_for_a_while(ask, running)
            status, out, err = running.stop()
        if not check("demo: counted, and found", status == 3, f"status {status}: {err}"):
            return
        report = json.loads(out)
        check_sums("demo", report)
        check_leak(report, server.pid, times)
        check_replays(path / "leak.loiter", out)
        with counting("-p", server.pid, "-d", "0", "--exit-code") as running:
            ask("/goto?step=0")
            report = ended_well("demo: at step 0", running, stop=True)
        if report:
            check_sums("demo: at step 0", report)
            check_ended(report, server.pid, PER_REQUEST * len(times))


def check_ended(report: Report, pid: int, cnt: int) -> None:
    """The threads that leaked have ended, and the report says so."""
    ended = [group for group in groups_of(report, pid) if group["alive_start"] == cnt]
    if check("demo: at step 0 they are told of", len(ended) == 1,
             [words(group) for group in groups_of(report, pid)]):
        check("demo: at step 0 all have ended",
              (ended[0]["verdict"], ended[0]["ended"], ended[0]["alive_end"]) ==
              ("shrinking", cnt, 0), words(ended[0]))
        check("demo: at step 0 it is where they waited", place(ended[0]) == "wait_for_cancel",
              words(ended[0]))


# --- workloads --------------------------------------------------------------------------------

# Of each mode of leaky: who creates its threads, or None for older ones, where they are, and the
# verdict. What else there is is none of a leak's.
EXPECTED: dict[str, tuple[Optional[str], Optional[str], str]] = {
    "leak": ("leak_two", "wait_for_ever", "leak"),
    "slow": ("start_job", "wait_for_ever", "leak"),
    "poll": ("leak_poller", "polling_main", "leak"),
    "library": ("pool_grow", "wait_for_ever", "leak"),
    "cpp": ("leaky::Server::submit", "leaky::Server::work", "leak"),
    "pool": (None, "worker_main", "pool"),
    "idle": (None, "worker_main", "idle"),
    "plateau": ("start_worker", "worker_main", "pool"),
    "connections": ("accept_connection", None, "churn"),
    "churn": ("start_brief", None, "churn"),
    "late": ("start_late", None, "churn"),
    "timers": ("timer_helper_thread", None, "churn"),
    "forks": ("fork_worker", None, "churn"),
    "burst": ("start_while", None, "churn"),
    "stay": ("start_stayer", "wait_for_ever", "idle"),
    "steps": ("start_stepper", None, "pool"),
}
AT_SIGUSR1 = ("plateau", "burst", "stay", "steps")
WORKLOADS_S = 10


def workload_of(mode: str) -> Any:
    return lib.workload("leakycpp") if mode == "cpp" else lib.workload("leaky", mode)


def check_mode(mode: str, groups: list[Group]) -> None:
    who, where, verdict = EXPECTED[mode]
    ours = [group for group in groups if creator(group) == who and
            (where is None or place(group) == where)]
    said = [words(group) for group in groups]
    check(f"{mode}: is '{verdict}'", ours and all(group["verdict"] == verdict for group in ours),
          said)
    others = [group for group in groups if group not in ours]
    check(f"{mode}: and nothing else leaks",
          not any(group["verdict"] in ("leak", "growing") for group in others), said)


def check_timed(groups: list[Group]) -> None:
    polling = next((group for group in groups if creator(group) == "leak_poller"), None)
    check("poll: it says that a timeout wakes them", polling and
          "as often as a timeout of 1." in polling["evidence"], polling)


def test_workloads() -> None:
    targets: dict[str, lib.Target] = {}
    with lib.contextlib.ExitStack() as stack:
        for mode in EXPECTED:
            targets[mode] = stack.enter_context(workload_of(mode))
        pids = [word for target in targets.values() for word in ("-p", target.pid)]
        with counting(*pids, "-d", f"{WORKLOADS_S}s") as running:
            for mode in AT_SIGUSR1:
                targets[mode].proc.send_signal(signal.SIGUSR1)
            report = ended_well("workloads", running)
        if not report:
            return
        check_sums("workloads", report)
        for mode, target in targets.items():
            check_mode(mode, groups_of(report, target.pid))
        check_timed(groups_of(report, targets["poll"].pid))


def test_many() -> None:
    """Of very many threads that come and go none is lost, and they take no room."""
    with lib.workload("births", MANY) as target, counting("-p", target.pid, "-d", "0") as running:
        target.proc.send_signal(signal.SIGUSR1)
        check("many: they have been", target.read_line() == f"done {MANY}")
        running.proc.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(running.proc.pid, 0)
        running.proc.returncode = os.waitstatus_to_exitcode(status)
        report = ended_well("many", running)
    if not report:
        return
    ours = [group for group in groups_of(report, target.pid) if creator(group) == "start_thread_of"]
    sums = [sum(group[key] for group in ours) for key in ("alive_start", "born", "ended")]
    lost = sum(report["losses"].get(key, 0)
               for key in ("events_dropped", "births_unseen", "births_no_stack"))
    check("many: all are counted, or counted as lost",
          sums[0] == 0 and sums[1] + lost >= MANY >= sums[1] and sums[1] == sums[2],
          (sums, report["losses"]))
    check("many: they churn", all(group["verdict"] == "churn" for group in ours),
          [words(group) for group in ours])
    note(f"many: {usage.ru_maxrss / 1024:.1f} MB resident")
    check("many: no more than 60 MB are needed", usage.ru_maxrss <= MEMORY_MAX_KB,
          usage.ru_maxrss)


# --- in a Makefile ---------------------------------------------------------------------------

def make_rule() -> str:
    """Returns the rule of docs/LEAKS.md."""
    return re.search(r"^```make\n(.*?)^```$", (REPO / "docs" / "LEAKS.md").read_text(),
                     re.M | re.S)[1]


def test_in_make() -> None:
    with lib.scratch_dir() as path:
        (path / "build").mkdir()
        (path / "Makefile").write_text(make_rule())
        (path / "bin").mkdir()
        (path / "bin" / "loiter").symlink_to(LOITER)
        sudo, server = path / "bin" / "sudo", path / "test-server"
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        env = dict(os.environ, PATH=f"{path / 'bin'}:{os.environ['PATH']}")
        for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
            env.pop(name, None)
        for left, says in ((0, ""), (2, "leak: 2 threads")):
            server.write_text(f"#!/bin/sh\nexec {WORKLOADS}/leaver {left} 0\n")
            for script in (sudo, server):
                script.chmod(0o755)
            done = subprocess.run(["make", "check-threads"], cwd=path, env=env, text=True,
                                  capture_output=True, timeout=lib.DEADLINE_S, check=False)
            check(f"make: {left} threads are left", (done.returncode != 0) == (left > 0) and
                  says in done.stdout and ("Error 3" in done.stderr) == (left > 0), done)


# --- long runs --------------------------------------------------------------------------------

def read_terminal(master: int) -> str:
    text = b""
    os.set_blocking(master, False)
    with lib.contextlib.suppress(BlockingIOError, OSError):
        while more := os.read(master, 65536):
            text += more
    return text.decode()


def test_until() -> None:
    """It ends when there are so many, and says meanwhile how it goes."""
    master, slave = pty.openpty()
    with lib.workload("leaky", "leak") as target:
        done = subprocess.run([str(LOITER), "leaks", "-p", str(target.pid), "--until", "60",
                               "--interval", "200ms"], stdout=subprocess.PIPE, stderr=slave,
                              text=True, timeout=lib.DEADLINE_S, check=False)
        said = read_terminal(master)
    os.close(slave)
    os.close(master)
    found = re.match(r"leaky \(pid \d+\), (\d+) threads", done.stdout)
    check("until: it ends when they are so many", done.returncode == 0 and found and
          int(found[1]) >= 60, done.stdout)
    lines = re.findall(r"^\d\d:\d\d:\d\d  \d+ threads \(([+-]\d+)\), (\d+) born and 0 ended",
                       said, re.M)
    check("until: it says how it goes", lines and all(int(more) >= 0 for more, _ in lines), said)
    check("until: and nothing else", len(lines) == said.count("\n"), said)


def test_watch() -> None:
    with lib.workload("leaky", "churn") as target, \
            counting("-p", target.pid, "--watch") as running:
        lib.wait_for("threads to come and go", lambda: time.monotonic_ns() > running.start_ns +
                     2_000_000_000)
        report = ended_well("watch", running, stop=True)
    if report:
        check_sums("watch", report)
        check("watch: it lasts until it is stopped", report["watch_ns"] >= 2_000_000_000)


def test_diff() -> None:
    with lib.scratch_dir() as path, lib.workload("leaky", "stay") as target:
        lib.run_loiter("dump", "-q", "-p", target.pid, "--save", path / "before.loiter")
        target.proc.send_signal(signal.SIGUSR1)
        lib.wait_for("the threads", lambda: len(lib.tids(target.pid)) == 22)
        lib.wait_settled(target.pid)
        lib.run_loiter("dump", "-q", "-p", target.pid, "--save", path / "after.loiter")
        done = lib.run_loiter("diff", path / "before.loiter", path / "after.loiter", "-f", "json")
        text = lib.run_loiter("diff", path / "before.loiter", path / "after.loiter").stdout
        back = lib.run_loiter("diff", path / "after.loiter", path / "before.loiter").stdout
        if not check("diff: works", done.returncode == 0, done.stderr):
            return
        groups = json.loads(done.stdout)["processes"][0]["groups"]
        more = groups[0]
        check("diff: what is new comes first",
              (more["change"], more["before"], more["after"], more["stuck"]) ==
              ("appeared", 0, 20, 0) and len(more["tids"]) == 20, more)
        stuck = [tid for group in groups for tid in group["stuck_tids"]]
        check("diff: the main thread has moved, the other one is not stuck either", not stuck or
              set(stuck) <= {target.pid}, stuck)
        check("diff: as text", f"leaky (pid {target.pid}), 2 threads, then 22\n" in text and
              "\nappeared: 20 threads [cond wait]\n\twait_for_ever\n" in text, text)
        check("diff: the other way round", "\nvanished: 20 threads [cond wait]\n" in back, back)


def test_diff_stuck() -> None:
    with lib.scratch_dir() as path, lib.workload("leaky", "idle") as target:
        for name in ("before", "after"):
            lib.run_loiter("dump", "-q", "-p", target.pid, "--save", path / f"{name}.loiter")
        done = lib.run_loiter("diff", path / "before.loiter", path / "after.loiter", "-f", "json")
        groups = json.loads(done.stdout)["processes"][0]["groups"]
        workers = [group for group in groups if group["after"] == 64]
        check("diff: who has not run is stuck in both", len(workers) == 1 and
              workers[0]["change"] == "same" and workers[0]["stuck"] == 64 and
              workers[0]["stuck_tids"] == workers[0]["tids"], groups)


def test_bad_words() -> None:
    for args, why in ((("leaks", "-p", "1", "-f", "go"), "'go' is not a format of leaks"),
                      (("leaks", "-p", "1", "--until", "0"), "not a number of threads"),
                      (("leaks", "-p", "1", "--interval", "1ms"), "too often"),
                      (("leaks",), "no process named"),
                      (("leaks", "-p", "1", "-k"), "invalid option"),
                      (("diff", "x.loiter"), "name both"),
                      (("diff", "a", "b", "-f", "html"), "'html' is not a format of a difference"),
                      (("diff", "a", "b", "c"), "unexpected 'c'")):
        done = lib.run_loiter(*args)
        check(f"{' '.join(args)}: is refused", done.returncode == 2 and why in done.stderr,
              done.stderr)
    done = lib.run_loiter("diff", "/nonexistent", "/nonexistent")
    check("diff: no such file", done.returncode == 1 and "No such file" in done.stderr, done.stderr)


def main() -> None:
    need_loiter()
    if not check("the demo is built", os.access(DEMO, os.X_OK), f"no {DEMO}"):
        finish()
    lines = ((test_demo,), (test_workloads, test_many),
             (test_bad_words, test_in_make, test_until, test_watch, test_diff, test_diff_stuck))
    attempt_lines(*([(test.__name__, test) for test in line] for line in lines))
    finish()


if __name__ == "__main__":
    main()
