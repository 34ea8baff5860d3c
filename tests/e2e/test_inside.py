#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter itself in a PID namespace, as in a privileged container: the numbers that the CPU clock
sees on the CPUs are not those that loiter and its targets have there."""
import json
import subprocess
from typing import Any

import lib
from lib import LOITER, WORKLOADS, attempt, check, finish, need_loiter

RUNNING_WANTED = lib.sized(8, 4)
INSIDE = """
exec 3< <("$0" 1)
target=$!
read -r ready <&3
while [ "$(grep -c '"state":"running"' "$3")" -lt "$2" ]; do
	"$1" dump -p $target -f json >> "$3" || break
done
kill $target
"""


def parse_reports(text: str) -> list[dict[str, Any]]:
    """Returns the JSON documents that @text is."""
    reports = []
    while text := text.lstrip():
        report, end = json.JSONDecoder().raw_decode(text)
        reports.append(report)
        text = text[end:]
    return reports


def test_running_threads() -> None:
    with lib.scratch_dir() as path:
        out = path / "reports"
        out.touch()
        argv = ["unshare", "-p", "-f", "--mount-proc", "--kill-child", "bash", "-c", INSIDE,
                str(WORKLOADS / "spin"), str(LOITER), str(RUNNING_WANTED), str(out)]
        subprocess.run(argv, check=True, timeout=lib.DEADLINE_S)
        reports = parse_reports(out.read_text())
    threads = [thread for report in reports for thread in report["processes"][0]["threads"]]
    running = [thread for thread in threads if thread["state"] == "running"]
    caught = [thread for thread in running if thread["frames"]]
    check(f"inside: {len(caught)} of {len(running)} running threads have a stack",
          caught and len(caught) >= len(running) / 2, running[:2])
    check("inside: those stacks are true",
          all(any(frame["function"] == "spin_main" for frame in thread["frames"])
              for thread in caught), caught[:2])


def run_inside(*args: object) -> subprocess.CompletedProcess:
    return subprocess.run(["unshare", "-p", "-f", "--mount-proc", "--kill-child", str(LOITER),
                           *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=lib.DEADLINE_S, check=False)


def test_no_recordings() -> None:
    done = run_inside("check")
    lines = done.stdout.splitlines()
    row = [line for line in lines if "initial PID namespace" in line]
    check("inside: check says why nothing is recorded, and what to do", done.returncode == 0 and
          row and row[0].startswith("missing") and "on the host" in row[0] and
          lines[-1].startswith("loiter dump works here, record and leaks do not"), done)
    for args in (["record", "-p", 1], ["leaks", "-p", 1], ["dump", "--", "true"]):
        done = run_inside(*args)
        check(f"inside: {args[0]} {args[1]} says so", done.returncode == 1 and not done.stdout and
              "PID namespace" in done.stderr and "on the host" in done.stderr, done)
    done = lib.run_loiter("check")
    check("check outside: nothing of the kind is missing",
          "\nok       initial PID namespace" in done.stdout, done.stdout)


def test_outside_unseen() -> None:
    """With the host's /proc, processes are there that the kernel shows no thread of."""
    with lib.workload("herd", 3) as target:
        done = subprocess.run(["unshare", "-p", "-f", "--kill-child", str(LOITER), "dump", "-p",
                               str(target.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=lib.DEADLINE_S, check=False)
    check("inside, /proc of the host: not called gone, and why it is not seen",
          done.returncode == 1 and f"'{target.pid}' is there" in done.stderr and
          "PID namespace" in done.stderr and "exited" not in done.stderr, done)


def main() -> None:
    need_loiter()
    attempt("no recordings", test_no_recordings)
    attempt("outside unseen", test_outside_unseen)
    attempt("running threads", test_running_threads)
    finish()


if __name__ == "__main__":
    main()
