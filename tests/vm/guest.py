#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""guest.py NAME...: runs these tests of the plan one after the other, inside of a VM. What each of
them prints stands between two lines that the matrix knows."""
import os
import signal
import subprocess
import sys
import time

import plan

START = "== start {name}"
END = "== end {name}: status {status}, {seconds:.0f} s"


def run(cell: plan.Cell) -> int:
    """Runs a test with all that it starts. Returns its exit status, -1 when it took too long."""
    with subprocess.Popen(cell.argv, stdin=subprocess.DEVNULL, cwd=plan.REPO,
                          start_new_session=True) as proc:
        try:
            return proc.wait(cell.limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(proc.pid, signal.SIGKILL)
            return -1


def main() -> int:
    for cell in plan.CELLS:
        if cell.name not in sys.argv[1:]:
            continue
        print(START.format(name=cell.name), flush=True)
        started = time.monotonic()
        status = run(cell)
        seconds = time.monotonic() - started
        print(END.format(name=cell.name, status=status, seconds=seconds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
