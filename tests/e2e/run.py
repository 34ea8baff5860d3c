#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Runs end-to-end tests: run.py [--allow-skip] [FILE...], by default every test_*.py and test_*.sh
beside it. Prints what they print, what of it failed once more, and a closing line. A test is a
script that ends with the line `NAME: N passed, N failed, N skipped`, or, without it, speaks by its
exit status (77: skipped). Fails on any failure, and on a skip unless --allow-skip is given."""
import argparse
import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator

TIMEOUT_S = 1800
CLEAN_UP_S = 20
READ_BYTES = 65536
SKIP_STATUS = 77
SUMMARY = re.compile(r"[\w.-]+: (\d+) passed, (\d+) failed, (\d+) skipped$")
FAILURE = re.compile(r"  FAIL  ")
DETAIL = " " * 8

Counts = tuple[int, int, int]


def command(path: Path) -> list[str]:
    return ["sh" if path.suffix == ".sh" else sys.executable, str(path)]


def lines_until(fd: int, end: float) -> Iterator[str]:
    """Yields the lines that come from a pipe, until nobody has it any more or it is @end: one that
    went to a session of its own can keep it for ever."""
    rest = b""
    while (left_s := end - time.monotonic()) > 0 and select.select([fd], [], [], left_s)[0]:
        data = os.read(fd, READ_BYTES)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def read_output(lines: Iterator[str]) -> tuple[str, list[str]]:
    """Passes the output on as it comes. Returns its last line, and those that tell of failures."""
    last = ""
    failures = []
    failing = False
    for line in lines:
        print(line, flush=True)
        last = line.strip() or last
        failing = bool(FAILURE.match(line)) or (failing and line.startswith(DETAIL))
        if failing:
            failures.append(line.rstrip())
    return last, failures


def judge(name: str, last: str, status: int) -> Counts:
    """Returns how many checks passed, failed and were skipped."""
    match = SUMMARY.match(last)
    if match:
        passed, failed, skipped = map(int, match.groups())
        if status and not failed:
            print(f"{name}: exit status {status} without a failed check")
            failed = 1
        return passed, failed, skipped
    if status in (0, SKIP_STATUS):
        return int(status == 0), 0, int(status == SKIP_STATUS)
    print(f"{name}: exit status {status}")
    return 0, 1, 0


def interrupt(proc: subprocess.Popen) -> None:
    """Passes a Ctrl-C on, which does not reach other sessions, and lets the test clean up."""
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(proc.pid, signal.SIGINT)
        proc.wait(CLEAN_UP_S)


def run_test(path: Path) -> tuple[Counts, list[str]]:
    """Runs a test, and ends it with all that it started."""
    print(f"{path.stem}:", flush=True)
    end = time.monotonic() + TIMEOUT_S
    with subprocess.Popen(command(path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True) as proc:
        try:
            last, failures = read_output(lines_until(proc.stdout.fileno(), end))
            with contextlib.suppress(subprocess.TimeoutExpired):
                proc.wait(max(0, end - time.monotonic()))
        except KeyboardInterrupt:
            interrupt(proc)
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(proc.pid, signal.SIGKILL)
    passed, failed, skipped = judge(path.stem, last, proc.returncode)
    if time.monotonic() >= end:
        print(f"{path.stem}: it took more than {TIMEOUT_S} s")
        failed = max(failed, 1)
    return (passed, failed, skipped), failures


def find_tests() -> list[Path]:
    here = Path(__file__).resolve().parent
    return sorted([*here.glob("test_*.py"), *here.glob("test_*.sh")])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--allow-skip", action="store_true", help="skips are no failures")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    args = parser.parse_args()
    # What a shell runs in its background ignores SIGINT, and so does all that it starts: tests could
    # not end a loiter as Ctrl-C does.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Nobody else ends what has a session of its own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    totals = [0, 0, 0]
    bad = {}
    took_s = {}
    for path in args.files or find_tests():
        started = time.monotonic()
        counts, failures = run_test(path)
        took_s[path.stem] = time.monotonic() - started
        totals = [total + count for total, count in zip(totals, counts)]
        if counts[1] or (counts[2] and not args.allow_skip) or not any(counts):
            bad[path.stem] = failures
    slowest = sorted(took_s, key=lambda name: -took_s[name])
    print(f"slowest: {', '.join(f'{name} {took_s[name]:.0f} s' for name in slowest)}")
    for name, failures in bad.items():
        print("\n".join([f"not good: {name}", *failures]))
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
