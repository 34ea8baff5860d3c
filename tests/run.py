#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Runs the rings of tests that it is given and adds them up.

The last line is "N passed, N failed", with ", N skipped" behind it when there are any. Each failed
test is named with its output; a ring that cannot run has failed, and says why.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

UNIT_DEADLINE_S = 300
FUZZ_GRACE_S = 120
FUZZ_JOBS = 2
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)


class Tally:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __add__(self, other):
        return Tally(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def failed(name, why, output=""):
    """Says that one test failed; its output stands below, indented so that it cannot be mistaken
    for a closing line."""
    lines = [f"FAILED {name}: {why}"] + [f"    {line}" for line in output.splitlines()[-60:]]
    print("\n".join(lines))
    sys.stdout.flush()
    return Tally(failed=1)


def run(command, deadline_s, **options):
    """Returns (exit status, or why there is none, and all output)."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=deadline_s, text=True, errors="replace", **options)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        return f"still running after {deadline_s} s", (late.stdout or b"").decode(errors="replace")
    except OSError as error:
        return error.strerror, ""


def run_unit(program):
    """One cmocka program, many tests: counted from its TAP lines."""
    name = os.path.basename(program)
    if not os.path.exists(program):
        return failed(name, "it was not built")
    status, output = run([program], UNIT_DEADLINE_S, env={
        **os.environ,
        "CMOCKA_MESSAGE_OUTPUT": "TAP",
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    })
    tally = Tally(passed=len(re.findall(r"^ok \d+ (?!.*# SKIP)", output, re.M)),
                  skipped=len(re.findall(r"^(?:not )?ok \d+ .*# SKIP", output, re.M)))
    bad = re.findall(r"^not ok \d+ - (\S+)", output, re.M)
    if bad:
        tally += failed(name, ", ".join(bad), output)
        tally.failed = len(bad)
    elif status:
        tally += failed(name, f"exit status {status}", output)
    elif not tally.passed and not tally.skipped:
        tally += failed(name, "it ran no test", output)
    return tally


def run_as_root(function):
    def run_it(program):
        if os.geteuid():
            return failed(os.path.basename(program), "it needs root: sudo make test")
        return function(program)
    return run_it


def run_fuzz(program, seconds):
    """One libFuzzer program: passes when it finds nothing. New inputs are kept beside it, so that
    the next run starts where this one ended; the seeds are left as they are."""
    name = os.path.basename(program)
    if not os.path.exists(program):
        return failed(name, "it was not built")
    here = os.path.dirname(program)
    found = os.path.join(here, "corpus", name)
    seeds = os.path.join("tests", "fuzz", "corpus", name.removeprefix("fuzz_"))
    os.makedirs(found, exist_ok=True)
    command = [program, f"-max_total_time={seconds}", "-timeout=60", "-rss_limit_mb=3072",
               "-print_final_stats=1", "-close_fd_mask=1",
               f"-artifact_prefix={here}/{name}-", found]
    status, output = run(command + [seeds] * os.path.isdir(seeds), seconds + FUZZ_GRACE_S)
    if status:
        return failed(name, f"exit status {status}", output)
    runs = re.search(r"number_of_executed_units:\s*(\d+)", output)
    if not runs or not int(runs[1]):
        return failed(name, "it tried no input", output)
    print(f"    {name}: {runs[1]} inputs")
    sys.stdout.flush()
    return Tally(passed=1)


def run_runner(name, argv):
    """A ring with a runner of its own, which ends in a closing line as well."""
    with subprocess.Popen([sys.executable, *argv], stdout=subprocess.PIPE, text=True,
                          errors="replace") as runner:
        lines = []
        for line in runner.stdout:
            lines.append(line)
            print(line, end="")
            sys.stdout.flush()
    closing = CLOSING.findall("".join(lines))
    if not closing:
        return failed(name, f"it has no closing line, exit status {runner.returncode}")
    tally = Tally(*(int(number or 0) for number in closing[-1]))
    if runner.returncode and not tally.failed:
        tally += failed(name, f"exit status {runner.returncode}")
    if not tally.passed and not tally.failed:
        tally += failed(name, "it ran no test")
    return tally


def run_e2e(script):
    """The ring of real targets."""
    return run_runner("e2e", [script])


def run_vm(script):
    """The ring of other kernels, in its short form."""
    return run_runner("vm", [script, "--short"])


def run_ring(title, jobs, function, programs):
    print(f"== {title}")
    sys.stdout.flush()
    with ThreadPoolExecutor(jobs) as pool:
        tally = sum(pool.map(function, programs), Tally())
    print(f"   {title}: {tally}")
    sys.stdout.flush()
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=30, help="for each fuzz program")
    parser.add_argument("--broken", nargs="*", metavar="RING", default=[],
                        help="rings with programs that do not build")
    parser.add_argument("--unit", nargs="*", metavar="PROGRAM")
    parser.add_argument("--bpf", nargs="*", metavar="PROGRAM")
    parser.add_argument("--fuzz", nargs="*", metavar="PROGRAM")
    parser.add_argument("--e2e", metavar="SCRIPT")
    parser.add_argument("--vm", metavar="SCRIPT")
    args = parser.parse_args()

    total = Tally()
    for ring in args.broken:
        total += failed(ring, "not all of it was built, see above")
    if args.unit is not None:
        total += run_ring("unit", os.cpu_count() or 1, run_unit, args.unit)
    if args.bpf is not None:
        total += run_ring("bpf", 1, run_as_root(run_unit), args.bpf)
    if args.fuzz is not None:
        total += run_ring("fuzz", FUZZ_JOBS, lambda program: run_fuzz(program, args.seconds),
                          args.fuzz)
    if args.e2e is not None:
        total += run_ring("e2e", 1, run_as_root(run_e2e), [args.e2e])
    if args.vm is not None:
        total += run_ring("vm", 1, run_vm, [args.vm])
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
