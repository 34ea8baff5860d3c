#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Runs end-to-end tests: run.py [--allow-skip] [FILE...], by default every test_*.py and test_*.sh
beside it. Prints what they print, what of it failed once more, and a closing line. A test is a
script that ends with the line `NAME: N passed, N failed, N skipped`, or, without it, speaks by its
exit status (77: skipped). Fails on any failure, and on a skip unless --allow-skip is given."""
import argparse
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

TIMEOUT_S = 1800
SKIP_STATUS = 77
SUMMARY = re.compile(r"[\w.-]+: (\d+) passed, (\d+) failed, (\d+) skipped$")
FAILURE = re.compile(r"  FAIL  ")
DETAIL = " " * 8

Counts = tuple[int, int, int]


def command(path: Path) -> list[str]:
    return ["sh" if path.suffix == ".sh" else sys.executable, str(path)]


def read_output(proc: subprocess.Popen) -> tuple[str, list[str]]:
    """Passes the output on as it comes. Returns its last line, and those that tell of failures."""
    last = ""
    failures = []
    failing = False
    for line in proc.stdout:
        print(line, end="", flush=True)
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


def run_test(path: Path) -> tuple[Counts, list[str]]:
    print(f"{path.stem}:", flush=True)
    proc = subprocess.Popen(command(path), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace")
    timer = threading.Timer(TIMEOUT_S, proc.kill)
    timer.start()
    try:
        last, failures = read_output(proc)
        status = proc.wait()
    finally:
        timer.cancel()
        if proc.poll() is None:
            proc.kill()
            proc.wait()
    return judge(path.stem, last, status), failures


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
