#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""--cgroup: the processes of a cgroup and of those below it, also those that come while it is
recorded. Needs a hierarchy in which cgroups can be made."""
import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator, Optional

import lib
from lib import LOITER, attempt, check, finish, need_loiter, skip, workload
from recording import window_start_ns

NAME = f"loiter-e2e-{os.getpid()}"
WINDOW_S = lib.sized(5, 3)


def hierarchies(kind: str) -> list[Path]:
    """Returns where hierarchies of @kind, cgroup or cgroup2, are mounted."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(mount[1].replace("\\040", " ")) for mount in mounts if mount[2] == kind]


def remove(path: Path) -> None:
    """Removes a cgroup, whose processes have just ended."""
    def gone() -> bool:
        try:
            path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
    lib.wait_for(f"{path} to be empty", gone)


@contextlib.contextmanager
def cgroup(kind: str) -> Iterator[Optional[Path]]:
    """Makes a cgroup with one below it; None when that cannot be done."""
    for root in hierarchies(kind):
        path = root / NAME
        try:
            (path / "below").mkdir(parents=True)
            (path / "cgroup.procs").read_text()
        except OSError:
            continue
        try:
            yield path
        finally:
            remove(path / "below")
            remove(path)
        return
    yield None


def move(pid: int, path: Path) -> None:
    (path / "cgroup.procs").write_text(f"{pid}\n")


def dumped(*args: object) -> set[int]:
    """Returns the pids that a dump with @args is of; an error is one of a failed check."""
    done = lib.run_loiter("dump", *args, "-f", "json")
    if done.returncode:
        return set()
    pids = [process["pid"] for process in json.loads(done.stdout)["processes"]]
    check(f"{' '.join(map(str, args))}: each once", len(pids) == len(set(pids)), pids)
    return set(pids)


def check_dump(path: Path) -> None:
    with workload("herd", 2) as one, workload("herd", 3) as two, workload("herd", 1) as other:
        move(one.pid, path)
        move(two.pid, path / "below")
        inside = {one.pid, two.pid}
        for name in (path, NAME, f"/{NAME}", f"{NAME}/"):
            check(f"dump --cgroup {name}", dumped("--cgroup", name) == inside)
        check("the one below alone", dumped("--cgroup", f"{NAME}/below") == {two.pid})
        check("with -p: both", dumped("--cgroup", NAME, "-p", other.pid) ==
              inside | {other.pid})
        check("with -p of one in it: once", dumped("--cgroup", NAME, "-p", one.pid) == inside)
        check("twice and in two ways: once", dumped("--cgroup", NAME, "--cgroup", path) == inside)
        check("with -n", dumped("--cgroup", f"{NAME}/below", "-n", "herd") >=
              inside | {other.pid})


def check_error(name: str, expected: str, *args: object, status: int = 1) -> None:
    done = lib.run_loiter(*args)
    check(f"{name}: status {status}, and says why",
          done.returncode == status and expected in done.stderr and not done.stdout,
          f"{done.returncode}: {done.stderr}")


def check_errors(path: Path) -> None:
    check_error("empty", f"cgroup '{NAME}' has no process to look at", "dump", "--cgroup", NAME)
    check_error("empty, record", "has no process to look at", "record", "--cgroup", path)
    check_error("a file", "no cgroup", "dump", "--cgroup", path / "cgroup.procs")


def test_errors() -> None:
    check_error("none", "no cgroup 'no/such.service': ", "dump", "--cgroup", "no/such.service")
    check_error("none, record", "no cgroup 'none'", "record", "--cgroup", "none")
    check_error("a directory", "'/usr' is a directory, but no cgroup", "dump", "--cgroup", "/usr")
    check_error("up and out", "no cgroup", "dump", "--cgroup", "../../usr")
    check_error("no name", "'' is not a cgroup", "dump", "--cgroup", "", status=2)
    check_error("with -a", "leave out", "dump", "--cgroup", NAME, "-a", status=2)
    check_error("with a program", "leave out", "record", "--cgroup", NAME, "--", "true", status=2)


def spans_of(report: dict[str, Any], pid: int) -> list[dict[str, Any]]:
    return [span for process in report["processes"] if process["pid"] == pid
            for span in process["spans"]]


def check_arrivals(report: dict[str, Any], name: str, pid: int, thread_cnt: int) -> None:
    """All of a process that came later: threads that never ran again too, since when it came."""
    spans = [span for span in spans_of(report, pid) if span["wait"] == "cond wait"]
    totals = {span["total_ns"] for span in spans}
    check(f"{name}: all its threads", len(spans) == thread_cnt, spans[:2])
    check(f"{name}: for less than the window, the same for all", len(totals) == 1 and
          0 < min(totals) < report["window_ns"], (totals, report["window_ns"]))
    check(f"{name}: with their stacks, not over", all(
        span["open"] and span["quality"] == "complete" and
        any(frame["function"] == "herd_wait" for frame in span["frames"]) for span in spans),
        spans[:2])


def check_record(path: Path) -> None:
    with workload("herd", 4) as first, workload("herd", 5) as second, \
            workload("herd", 6) as below, workload(*lib.BUSY) as busy, workload("herd", 7) as other:
        move(first.pid, path)
        proc = subprocess.Popen([str(LOITER), "record", "--cgroup", NAME, "-d", f"{WINDOW_S}s",
                                 "-t", "--by", "wall", "-f", "json", "--verify", "64"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lib.wait_for("the recording", lambda: window_start_ns(proc.pid) or
                     proc.poll() is not None)
        move(second.pid, path)
        move(below.pid, path / "below")
        move(busy.pid, path / "below")
        first.stop()
        out, err = proc.communicate(timeout=lib.DEADLINE_S)
        if not check("recorded", proc.returncode == 0, err):
            return
        report = json.loads(out)
        check("it goes on when the first one has ended",
              report["window_ns"] >= WINDOW_S * 1e9, report["window_ns"])
        check("the first one is in it", spans_of(report, first.pid))
        check("who is elsewhere is not", not spans_of(report, other.pid))
        check_arrivals(report, "moved in", second.pid, 5)
        check_arrivals(report, "moved in below", below.pid, 6)
        sums: dict[int, int] = {}
        for span in spans_of(report, busy.pid):
            sums[span["tids"][0]] = sums.get(span["tids"][0], 0) + span["total_ns"]
        came_ns = max(sums.values(), default=0)
        check("a busy one: every thread", sorted(sums) == lib.tids(busy.pid), sums)
        check("a busy one: all of their time since it came", sums and
              all(abs(total - came_ns) < 0.01 * report["window_ns"] for total in sums.values()),
              (sums, report["losses"]))
        check("none of its stacks is wrong", " 0 wrong" in err, err)


def test_hierarchy(kind: str) -> None:
    with cgroup(kind) as path:
        if path is None:
            skip(kind, "no such hierarchy in which cgroups can be made")
            return
        attempt(f"{kind}: errors", check_errors, path)
        attempt(f"{kind}: dump", check_dump, path)
        # A recording goes by the processes that a dump would have, whatever the hierarchy.
        if kind == "cgroup2" or not lib.skip_in_vm(f"{kind}: record", "it is as in cgroup2"):
            attempt(f"{kind}: record", check_record, path)


def main() -> None:
    need_loiter()
    attempt("errors", test_errors)
    for kind in ("cgroup2", "cgroup"):
        attempt(kind, test_hierarchy, kind)
    finish()


if __name__ == "__main__":
    main()
