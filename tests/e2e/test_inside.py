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


def main() -> None:
    need_loiter()
    attempt("running threads", test_running_threads)
    finish()


if __name__ == "__main__":
    main()
