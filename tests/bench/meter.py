#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""meter.py OUTPUT COMMAND...: runs COMMAND with its stdout in OUTPUT and prints, as JSON, its exit
status, when it was started (seconds since 1970), the seconds that it took, those of a CPU, and its
greatest resident memory in KB.

A process of its own: the memory that Linux reports for a child begins with that of the process
that started it, so that process has to be small. Imports next to nothing, hence."""
import os
import sys
import time


def main() -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 1, sys.argv[1], flags, 0o644)]
    started_at, started = time.time(), time.monotonic()
    pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - started
    print(f'{{"status": {os.waitstatus_to_exitcode(status)}, "seconds": {seconds:.6f}, '
          f'"started_at": {started_at:.6f}, "cpu_s": {usage.ru_utime + usage.ru_stime:.6f}, '
          f'"maxrss_kb": {usage.ru_maxrss}}}')


if __name__ == "__main__":
    main()
