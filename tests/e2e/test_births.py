#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Threads are shown with who created them, and where; programs are looked at from their birth."""
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
from lib import LOITER, WORKLOADS, attempt, check, finish, need_loiter

# Of each thread of makers but the main ones: its entry, who made it, and where.
MADE = {("foreman_main", "make_first"), ("worker_main", "make_second"),
        ("worker_main", "make_in_child")}
OWN_MAKERS = {"make_first", "make_second"}  # of those that the process makes itself
# What a program is started with and can tell; its shell's own variables but _, which differs.
SURROUNDINGS = "ulimit -S -n; grep SigIgn /proc/self/status; env | grep -v ^_="


def functions(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["function"] for frame in frames if frame["function"]]


def maker(creator: Optional[dict[str, Any]]) -> str:
    names = functions(creator["frames"]) if creator else []
    return next((name for name in names if name.startswith(("make_", "fork_"))), "")


def made(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns the entry and the maker of every thread with a creator, but main threads."""
    ret = []
    for process in report["processes"]:
        for thread in process["threads"]:
            entry = next((name for name in functions(thread["frames"])
                          if name in ("foreman_main", "worker_main")), "")
            if thread["created_by"] and thread["tid"] != process["pid"]:
                ret.append((entry, maker(thread["created_by"])))
    return ret


def run(*args: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(LOITER), *map(str, args)], stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run_and_leave(path: Path, *args: object) -> tuple[int, str]:
    """Runs loiter on a program that outlives it. Returns its status and the report, and ends the
    program. Nothing is a pipe: the program would hold it open."""
    with open(path / "out", "w", encoding="utf-8") as out, \
            open(path / "err", "w", encoding="utf-8") as err:
        done = subprocess.run([str(LOITER), *map(str, args)], stdin=subprocess.DEVNULL, stdout=out,
                              stderr=err, check=False)
    said = (path / "err").read_text()
    goes_on = re.search(r"\(pid (\d+)\) goes on", said)
    check(f"{args[0]} of a program: it goes on", goes_on, said)
    if goes_on:
        pid = int(goes_on[1])
        check(f"{args[0]} of a program: and is alive", Path(f"/proc/{pid}/task/{pid}").exists())
        os.kill(pid, signal.SIGTERM)
    return done.returncode, (path / "report").read_text()


def forked_by_child(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [thread for process in report["processes"] for thread in process["threads"]
            if thread["tid"] == process["pid"] and maker(thread["created_by"]) == "fork_child"]


def test_dump_program() -> None:
    """Runs the program until loiter was in time to read its map for each birth: on a machine that
    is busy it may not be, and a creator has no function then."""
    def seen() -> Optional[dict[str, Any]]:
        with lib.scratch_dir() as path:
            status, text = run_and_leave(path, "dump", "-d", lib.sized("2s", "5s"), "-o",
                                         path / "report", "-f", "json", "--", WORKLOADS / "makers")
        if status:
            raise RuntimeError(f"status {status}")
        report = json.loads(text)
        whole = len(made(report)) == len(MADE) and len(forked_by_child(report)) == 1
        return report if whole and set(made(report)) == MADE else None
    check("dump of a program: each thread has its maker, and what it forked is there",
          lib.wait_for("a report with all creators", seen))


def test_beside() -> None:
    """A dump knows what a recording beside it saw, and nothing any more when that is over."""
    with lib.workload("makers") as target:
        proc = subprocess.Popen([str(LOITER), "record", "-p", str(target.pid), "-d", "0", "-f",
                                 "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            def seen() -> Optional[list[tuple[str, str]]]:
                target.proc.send_signal(signal.SIGUSR1)
                found = made(json.loads(run("dump", "-p", target.pid, "-f", "json").stdout))
                return found if OWN_MAKERS <= {who for _, who in found} else None

            # What is made before its maker was learned has none.
            found = lib.wait_for("both creators", seen)
            check("beside a recording: makers are known", set(found) <= MADE, found)
            proc.send_signal(signal.SIGINT)
            out, err = proc.communicate(timeout=lib.DEADLINE_S)
        finally:
            lib.stop_process(proc)
        report = json.loads(out) if out else None
        if check("beside a recording: it reports", report is not None, err):
            makers = {maker(thread["created_by"]) for process in report["processes"]
                      for thread in process["threads"]}
            check("the recording knows the makers", OWN_MAKERS <= makers, makers)
            check("and what was forked", len(report["processes"]) > 1, len(report["processes"]))
        after = made(json.loads(run("dump", "-p", target.pid, "-f", "json").stdout))
        check("behind the recording: creators are not known", not after, after)


def test_record_program() -> None:
    done = run("record", "-f", "json", "--by", "wall", "--", "/bin/sh", "-c",
               "sleep 0.3; exit 3")
    if not check("record of a program: works", done.returncode == 0, done.stderr):
        return
    check("record of a program: its status is told", "ended with status 3" in done.stderr,
          done.stderr)
    report = json.loads(done.stdout)
    commands = [process["comm"] for process in report["processes"]]
    check("record of a program: it and what it ran", sorted(commands) == ["sh", "sleep"], commands)
    check("record of a program: nothing of loiter's own before it",
          not any("run_child" in functions(span["frames"]) for process in report["processes"]
                  for span in process["spans"]))


def test_short_lived() -> None:
    """What blocks once has its stack. When its map was read while it was still being loaded, what
    it maps from then on is code that comes, and the stack is lost: where loading takes long, that
    can be, and it is tried until it is not."""
    name = "a short-lived program has its stack"
    slept: list[dict[str, Any]] = []

    def is_known() -> bool:
        done = run("record", "-f", "json", "--", "/bin/sh", "-c", "sleep 0.3; exit 3")
        slept[:] = [span for process in json.loads(done.stdout)["processes"]
                    if process["comm"] == "sleep"
                    for span in process["spans"] if span["wait"] == "sleep"]
        return (len(slept) == 1 and slept[0]["quality"] == "complete" and
                "clock_nanosleep" in "".join(functions(slept[0]["frames"])))
    check(name, any(is_known() for _ in range(lib.sized(1, 20))), slept)


def test_bad_programs() -> None:
    for command in ("dump", "record"):
        done = run(command, "--", "/nonexistent/program")
        check(f"{command}: no such program", done.returncode == 1 and
              "cannot run '/nonexistent/program': No such file" in done.stderr, done.stderr)
        done = run(command, "-p", "1", "--", "true")
        check(f"{command}: a program and a process", done.returncode == 2, done.stderr)
        done = run(command, "true")
        check(f"{command}: a program without --", done.returncode == 2 and
              "--" in done.stderr, done.stderr)
    done = run("dump", "-d", "100s", "--", "true")
    check("dump: a program that has ended", done.returncode == 1 and
          "'true' ended before" in done.stderr, done.stderr)
    done = run("dump", "-p", "1", "-d", "1s")
    check("dump: -d without a program", done.returncode == 2, done.stderr)


def test_program_as_without_loiter() -> None:
    """What loiter changes for itself, and what makes argp's help as it is, is not the program's."""
    if lib.skip_in_vm("as without loiter", "it depends on no kernel"):
        return

    def found(*command: str, **kwargs: Any) -> list[str]:
        done = subprocess.run([*command, "/bin/sh", "-c", SURROUNDINGS], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, **kwargs)
        return sorted(set(done.stdout.splitlines()))

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (777, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    plain = {"PATH": os.environ["PATH"]}
    for env in plain, {**plain, "ARGP_HELP_FMT": "rmargin=70"}:
        for ignored in False, True:
            how: dict[str, Any] = {"env": env, "preexec_fn": lower, "restore_signals": not ignored}
            without = found(**how)
            within = [found(str(LOITER), command, "-o", "/dev/null", "-d", "0", "--", **how)
                      for command in ("record", "leaks")]
            check("a program finds what it would without loiter", "777" in without and
                  within == [without] * 2, (without, within))


def test_record_outlived() -> None:
    with lib.scratch_dir() as path:
        status, text = run_and_leave(path, "record", "-d", "200ms", "-o", path / "report", "--",
                                     "/bin/sleep", "1000")
    check("record of a program that goes on: works", status == 0 and "sleep" in text, text)


def main() -> None:
    need_loiter()
    for test in (test_dump_program, test_beside, test_record_program, test_short_lived,
                 test_bad_programs, test_program_as_without_loiter, test_record_outlived):
        attempt(test.__name__, test)
    finish()


if __name__ == "__main__":
    main()
