#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Programs whose threads are counted from birth to end: what they leave behind is a leak."""
import datetime
import json
import os
import resource
import shutil
import subprocess
import time
from typing import Optional

import lib
from lib import LOITER, WORKLOADS, attempt, check, finish, need_loiter, note
from leaking import Group, Report, check_sums, counting, creator, ended_well, place, words


TRIES = 5
MEMORY_MAX_KB = 120 * 1024
REST_S = 2
RETRIED = {"births_no_stack", "events_missed"}


def run_program(*args: object) -> subprocess.CompletedProcess:
    return lib.run_loiter("leaks", "-f", "json", "--exit-code", *args)


def told_program(*args: object) -> subprocess.CompletedProcess:
    """Runs a program until the kernel told all of it, and loiter was in time to read its map for
    each birth."""
    def told() -> Optional[subprocess.CompletedProcess]:
        done = run_program(*args)
        losses = json.loads(done.stdout)["losses"] if done.stdout else {}
        return None if RETRIED & losses.keys() else done
    return lib.wait_for("a report of all", told)


def seen_program(*args: object) -> Report:
    """As told_program, of one that has a leak."""
    done = told_program(*args)
    if done.returncode != 3:
        raise RuntimeError(f"status {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def test_program() -> None:
    report = seen_program("--", WORKLOADS / "leaver", 3, 0)
    check_sums("program", report)
    process = report["processes"][0]
    left = [group for group in process["groups"] if group["verdict"] == "leak"]
    check("program: what it leaves is a leak, with who created it",
          len(left) == 1 and creator(left[0]) == "start_left" and left[0]["left"] == 3 and
          "3 had not ended when the process did" in left[0]["evidence"],
          [words(group) for group in process["groups"]])
    joined = [group for group in process["groups"] if creator(group) == "start_joined"]
    check("program: and what it waited for is none",
          sum(group["born"] for group in joined) == 5 and
          all(group["verdict"] == "churn" for group in joined), [words(g) for g in joined])
    check("program: it has ended", process["has_ended"])


def test_busy() -> None:
    """Threads that run as their program ends may be about to end themselves."""
    done = told_program("--", WORKLOADS / "leaver", 0, 0, 4)
    check("program: threads that it does not leave waiting are none", done.returncode == 0,
          done.stderr + done.stdout)
    groups = json.loads(done.stdout)["processes"][0]["groups"] if done.stdout else []
    check("program: they count as ended", sum(group["ended"] for group in groups) == 5 + 4 and
          not any(group["left"] for group in groups), [words(group) for group in groups])


def test_caller_of_exit() -> None:
    """The thread that ends its program is not left behind by it."""
    if lib.skip_in_vm("caller of exit", "system calls have one name on every kernel"):
        return
    for how in ("exit", "last"):
        done = told_program("--", WORKLOADS / "leaver", 0, how)
        check(f"{how}: the thread that ends the program is no leak", done.returncode == 0,
              done.stderr + done.stdout)
    report = seen_program("--", WORKLOADS / "leaver", 2, "exit")
    leaks = [group for group in report["processes"][0]["groups"] if group["verdict"] == "leak"]
    check("exit: those that wait meanwhile are one",
          [(creator(group), group["left"]) for group in leaks] == [("start_left", 2)],
          [words(group) for group in report["processes"][0]["groups"]])


def test_status() -> None:
    done = run_program("--", WORKLOADS / "leaver", 0, 0)
    check("program: one that leaves none is well", done.returncode == 0, done.stderr + done.stdout)
    done = run_program("--", WORKLOADS / "leaver", 0, 7)
    check("program: one that fails has failed",
          done.returncode == 1 and "ended with status 7" in done.stderr, done.stderr)
    done = run_program("--", WORKLOADS / "leaver", 1, 7)
    check("program: one that leaves some and fails has a leak", done.returncode == 3, done.stderr)
    done = lib.run_loiter("leaks", "-q", "--", WORKLOADS / "leaver", 1, 0)
    check("program: without --exit-code it is only told", done.returncode == 0 and
          "leak: 1 thread" in done.stdout, done.stdout)


def test_forks() -> None:
    """What a program runs is watched as well."""
    command = f"{WORKLOADS}/leaver 0 0; {WORKLOADS}/leaver 2 0; true"
    # At the same addresses, the second has the map of the first, which has ended.
    fixed = ["setarch", "-R"] if lib.find_program("setarch") else []  # as in VMs without asking
    report = seen_program("--", *fixed, "/bin/sh", "-c", command)
    leaks = [group for process in report["processes"] for group in process["groups"]
             if group["verdict"] == "leak"]
    check("program: each process for itself", len(leaks) == 1 and leaks[0]["left"] == 2,
          [words(group) for group in leaks])
    check("program: by whom, though their map is of one that has ended",
          [creator(group) for group in leaks] == ["start_left"], [words(group) for group in leaks])


def main_group(report: Report) -> Group:
    """Returns the one group of a program that does all by itself."""
    groups = report["processes"][0]["groups"]
    if len(groups) != 1:
        raise RuntimeError(f"{len(groups)} groups: {[words(group) for group in groups]}")
    return groups[0]


def test_asleep() -> None:
    """Where a program was blocked is named when its files can be opened no more."""
    done = told_program("--", "sleep", 1)
    report = json.loads(done.stdout)
    group = main_group(report)
    frames = group["blocked_at"]["frames"] if group["blocked_at"] else []
    modules = {frame["module"] for frame in frames}
    check("asleep: each frame is of a file", frames and None not in modules, frames)
    check("asleep: of the program, too", report["processes"][0]["exe"] in modules, modules)


def test_many_asleep() -> None:
    """Each process has its files where no other has them; they are not all open at a time with
    their debug symbols."""
    if lib.skip_in_vm("many asleep", "there are no debug symbols"):
        return
    sleepers = "sleep 1 & " * 64
    with subprocess.Popen([LOITER, "leaks", "-q", "-f", "json", "--", "sh", "-c",
                           f"{sleepers} wait"], stdout=subprocess.PIPE) as running:
        report = json.load(running.stdout)
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    places = [group for process in report["processes"] for group in process["groups"]
              if group["blocked_at"] and group["blocked_at"]["wait"] == "sleep"]
    check("many asleep: seen", places, [words(group) for group in report["processes"][0]["groups"]])
    note(f"many asleep: {usage.ru_maxrss} KB")
    check("many asleep: in little memory", usage.ru_maxrss < MEMORY_MAX_KB, usage.ru_maxrss)


def test_short() -> None:
    """A program that is gone before anybody looks has a name all the same, and a beginning."""
    before_s = time.time()
    done = run_program("--", "true")
    process = json.loads(done.stdout)["processes"][0]
    check("short: its name", process["comm"] == "true", process["comm"])
    check("short: its program, if it was still there",
          process["exe"] in ("", os.path.realpath(shutil.which("true"))), process["exe"])
    started = datetime.datetime.fromisoformat(process["started"].replace("Z", "+00:00"))
    check("short: when it began", -1 < started.timestamp() - before_s < lib.DEADLINE_S,
          process["started"])
    check("short: it has ended, and was not older",
          process["has_ended"] and [group["older"] for group in process["groups"]] == [0],
          process["groups"])
    text = lib.run_loiter("leaks", "-q", "--", shutil.which("true")).stdout
    check("short: the text names it, and its main thread",
          text.startswith("true (pid ") and " main thread\n" in text and
          "before loiter" not in text, text)


def test_age_at_end() -> None:
    """What a process left waits no longer than the process lived, however long others go on."""
    if lib.skip_in_vm("ages at the end", "what is made of a death depends on no kernel"):
        return
    report = seen_program("--", "/bin/sh", "-c", f"{WORKLOADS}/leaver 1 0; sleep {REST_S}")
    ages = [group["age_max_ns"] for process in report["processes"] for group in process["groups"]
            if group["verdict"] == "leak"]
    check("program: threads do not get older once they have ended",
          len(ages) == 1 and ages[0] <= report["watch_ns"] - REST_S * 1_000_000_000,
          (ages, report["watch_ns"]))


def test_abort() -> None:
    """All threads of a program that dumps core end with it, in another way than with one that
    exits."""
    resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)
    with lib.scratch_dir() as path:
        report = seen_program("--", "/bin/sh", "-c",
                              f"cd {path}; {WORKLOADS}/leaver 3 abort; rm -f core*")
    leaks = [group for process in report["processes"] for group in process["groups"]
             if group["verdict"] == "leak"]
    check("abort: what it left is a leak", len(leaks) == 1 and leaks[0]["left"] == 3 and
          creator(leaks[0]) == "start_left", [words(group) for group in leaks])


def test_ends_with_process() -> None:
    # A kernel that preempts a thread as its end is told keeps the others' on that CPU meanwhile.
    for _ in range(TRIES):
        with lib.workload("leaky", "idle") as target, \
                counting("-p", target.pid, "-d", "0", "--exit-code") as running:
            target.stop()
            report = ended_well("ends", running)
        if not report:
            return
        if "events_missed" not in report["losses"]:
            break
    check_sums("ends", report)
    process = report["processes"][0]
    check("ends: the process is told of", process["has_ended"] and process["pid"] == target.pid)
    workers = [group for group in process["groups"] if place(group) == "worker_main"]
    check("ends: with the threads that it ended with, which are no leak",
          len(workers) == 1 and workers[0]["verdict"] != "leak" and workers[0]["left"] == 64 and
          len(workers[0]["tids"]) == 64, [words(group) for group in process["groups"]])


def main() -> None:
    need_loiter()
    for test in (test_program, test_busy, test_caller_of_exit, test_status, test_forks,
                 test_asleep, test_many_asleep, test_short, test_age_at_end, test_abort,
                 test_ends_with_process):
        attempt(test.__name__, test)
    finish()


if __name__ == "__main__":
    main()
