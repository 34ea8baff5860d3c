#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Runs the tests on every kernel, each in a VM of its own, and prints one table of how they went.

The last line is "N passed, N failed, N skipped", counted in checks. It fails when one check did, on
one kernel; what is skipped is named with its reason. What each VM said is kept in build/vm."""
import argparse
import contextlib
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import budgets
import kernels
import plan
import stop
import vm
from errors import SetupError
from outcome import COUNTING, WHY_ENDED, Reader, Result, judge_kernel

LOG_DIR = plan.REPO / "build" / "vm"
GUEST = plan.REPO / "tests" / "vm" / "guest.py"
SHORT = ("5.10", "newest")
SLOW_FIRST = ("newest", "6.1-rt", "6.18", "6.12")  # no long one is to run alone at the end
JOBS_MAX = 4  # of some 2 GB each
MEM_MB = 1536
LIMIT_S = 3000  # on a machine that has other things to do as well
KERNEL = "kernel"  # a row of the table that is no test: it ran to its end without a complaint
NOT_REACHED = "not reached"
FAULTS_MAX = 25
INTERRUPTED = 130  # exit status

print_lock = threading.Lock()


@dataclass
class Column:
    """What came of one kernel."""
    kernel: str
    is_budgeted: bool = True  # it has to load what budgets.tsv has of it
    version: str = ""
    results: dict[str, Result] = field(default_factory=dict)
    insns: dict[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        number = self.version.split("-")[0].split("+")[0]
        return f"{self.kernel} ({number})" if self.kernel == "newest" and number else self.kernel

    def fail(self, why: str) -> None:
        """Counts a fault that is no test's."""
        self.results.setdefault(KERNEL, Result()).fail(why)


def log_path(kernel: str) -> Path:
    """Returns where what a VM says is kept. What the kernel says is beside it, as .klog."""
    return LOG_DIR / f"{kernel.strip('/').replace('/', '-')}.log"


def may_write_logs(names: list[str]) -> bool:
    """Says so when the logs cannot be written, before a VM has run for nothing."""
    try:
        LOG_DIR.mkdir(parents=True, exist_ok=True)
        for path in map(log_path, names):
            for file in (path, path.with_suffix(".klog")):
                file.write_text("")  # no VM is to be told of by the log of another
    except OSError as error:
        print(f"matrix: {error.filename}: {error.strerror}", file=sys.stderr)
        if isinstance(error, PermissionError):
            print("matrix: what sudo make has built is root's: sudo rm -r build, and make again",
                  file=sys.stderr)
        return False
    return True


def say(text: str) -> None:
    with print_lock:
        print(text, flush=True)


class Log:
    """A file with what a VM says, and when. error is what went wrong with it, if anything: then the
    rest is lost, but the VM goes on."""

    def __init__(self, path: Path) -> None:
        self._started = time.monotonic()
        self._file = open(path, "w", encoding="utf-8")
        self.error: Optional[OSError] = None

    def add(self, line: str) -> None:
        if self.error:
            return
        try:
            self._file.write(f"{time.monotonic() - self._started:7.1f}  {line}")
            self._file.flush()
        except OSError as error:
            self.error = error

    def close(self) -> None:
        with contextlib.suppress(OSError):  # once more the one that is known
            self._file.close()


def read_lines(fd: int, column: Column, reader: Reader, log: Log) -> None:
    """Reads what a VM says to its end, and passes on how each test went."""
    with open(fd, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            log.add(line)
            name = reader.current
            if reader.read(line.rstrip()):
                result = reader.results[name]
                say(f"  {column.kernel}: {name}: {result} ({result.seconds} s)")


def boot(column: Column, cells: list[plan.Cell]) -> None:
    """Runs @cells in one VM and fills @column."""
    log = Log(log_path(column.kernel))
    reader = Reader(column.kernel if column.is_budgeted else "")
    read_end, write_end = os.pipe()
    thread = threading.Thread(target=read_lines, args=(read_end, column, reader, log))
    thread.start()
    command = [plan.PYTHON, str(GUEST), *(cell.name for cell in cells)]
    try:
        ended = vm.boot(column.kernel, vm.Machine(mem_mb=MEM_MB, limit_s=LIMIT_S), command,
                        write_end)
    finally:
        os.close(write_end)
        thread.join()
        log.close()
    column.results, column.insns = reader.results, reader.insns
    why = WHY_ENDED.get(ended.status, "the VM ended early")
    for cell in cells:
        if cell.name == reader.current:
            column.results[cell.name] = Result(failed=1, faults=[why])
        elif cell.name not in column.results:
            column.results[cell.name] = Result(failed=1, faults=[NOT_REACHED])
    column.results[KERNEL] = judge_kernel(ended)
    klog = log_path(column.kernel).with_suffix(".klog")
    klog.write_text("\n".join(ended.kernel_log) + "\n", encoding="utf-8")
    if log.error:
        column.fail(f"not all of what it said could be kept: {log.error.strerror}")


def run_column(column: Column, cells: list[plan.Cell]) -> None:
    try:
        column.version = kernels.get(column.kernel).version
        say(f"  {column.kernel}: {column.version}")
        boot(column, cells)
    except SetupError as error:
        column.fail(f"no VM: {error}")
    except OSError as error:
        column.fail(f"{error}")
    except Exception as error:  # pylint: disable=broad-exception-caught
        traceback.print_exc()  # a fault of ours, which is not to take the other kernels along
        column.fail(f"{type(error).__name__}: {error}")


def run_columns(columns: list[Column], cells: list[plan.Cell], job_cnt: int) -> None:
    ordered = sorted(columns, key=lambda column: SLOW_FIRST.index(column.kernel)
                     if column.kernel in SLOW_FIRST else len(SLOW_FIRST))
    with ThreadPoolExecutor(job_cnt) as pool:
        try:
            list(pool.map(lambda column: run_column(column, cells), ordered))
        except KeyboardInterrupt:
            stop.ask()  # the pool waits for what it has begun
            raise


def print_table(columns: list[Column], cells: list[plan.Cell]) -> None:
    rows = [["", *(column.title for column in columns)]]
    for name in [*(cell.name for cell in cells), KERNEL]:
        rows.append([name, *(str(column.results.get(name, "-")) for column in columns)])
    widths = [max(map(len, texts)) for texts in zip(*rows)]
    print()
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


def print_skips(columns: list[Column]) -> None:
    """Each reason once, with the kernels that it holds for."""
    where: dict[str, list[str]] = {}
    for column in columns:
        for name, result in column.results.items():
            for reason in result.reasons:
                where.setdefault(f"{name}: {reason}", []).append(column.kernel)
    print("\nskipped:")
    for reason, names in where.items():
        on = "everywhere" if len(names) == len(columns) else ", ".join(names)
        print(f"  {on}: {reason}")
    for name, why in plan.LEFT_OUT.items():
        print(f"  everywhere: {name}: {why}")


def print_faults(columns: list[Column]) -> None:
    for column in columns:
        unreached = [name for name, result in column.results.items()
                     if result.faults == [NOT_REACHED]]
        if unreached:
            print(f"\n{column.title}: FAILED, not reached: {', '.join(unreached)}")
        for name, result in column.results.items():
            if result.failed and name not in unreached:
                print(f"\n{column.title}, {name}: FAILED, see "
                      f"build/vm/{log_path(column.kernel).name}")
                print(*(f"    {line}" for line in result.faults[:FAULTS_MAX]), sep="\n")


def print_budgets(columns: list[Column], write: bool) -> None:
    counts = {column.kernel: column.insns for column in columns if column.insns}
    lines = budgets.changes(counts)
    if lines:
        print("\nverifier instructions, other than in tests/vm/budgets.tsv:")
        print(*(f"  {line}" for line in lines), sep="\n")
    if write:
        bad = [column.kernel for column in columns
               if any(result.failed for result in column.results.values())]
        if bad:
            print(f"\nnot written to tests/vm/budgets.tsv, as not all went well: {', '.join(bad)}")
        budgets.write({kernel: now for kernel, now in counts.items() if kernel not in bad})


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="the oldest and the newest kernel, "
                        "and some of the tests")
    parser.add_argument("--test", action="append", metavar="NAME", default=[],
                        help="only this one; repeatable")
    parser.add_argument("--write-budgets", action="store_true", help="into budgets.tsv")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, JOBS_MAX),
                        help="VMs at a time (default: %(default)s)")
    parser.add_argument("kernels", nargs="*", metavar="KERNEL")
    args = parser.parse_args()
    there = [cell.name for cell in plan.CELLS]
    for name in args.test:
        if name not in there:
            why = plan.LEFT_OUT.get(name) or f"no such test; there are {', '.join(there)}"
            parser.error(f"--test {name}: {why}")
    if args.write_budgets and args.test and COUNTING not in args.test:
        parser.error(f"--write-budgets: nothing is counted without --test {COUNTING}")
    return args


def choose(args: argparse.Namespace) -> tuple[list[str], list[plan.Cell]]:
    names = list(dict.fromkeys(args.kernels or (SHORT if args.short else kernels.SERIES)))
    cells = [cell for cell in plan.CELLS if cell.short or not args.short]
    if args.test:
        cells = [cell for cell in plan.CELLS if cell.name in args.test]
    return names, cells


def main() -> int:
    args = parse_args()
    names, cells = choose(args)
    if not may_write_logs(names):
        return 1
    columns = [Column(name, not args.write_budgets) for name in names]
    try:
        run_columns(columns, cells, args.jobs)
    except KeyboardInterrupt:
        return INTERRUPTED
    print_table(columns, cells)
    print_skips(columns)
    print_budgets(columns, args.write_budgets)
    print_faults(columns)
    total = Result()
    for result in (result for column in columns for result in column.results.values()):
        total.passed += result.passed
        total.failed += result.failed
        total.skipped += result.skipped
    for name in plan.unplanned():
        total.failed += 1
        print(f"\nFAILED {name}: it is neither run by tests/vm/plan.py nor left out there, or "
              "both, or there is no such test")
    print(f"\n{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
