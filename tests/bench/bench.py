#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""bench.py FILE: what a dump costs, measured in one run beside eu-stack, which reads the same
stacks by stopping the target. Prints a table, writes it to FILE too, and fails when loiter misses
what it promises.

Time is the whole command's, symbols and printing included, its output in a file; the median of
several runs. Gap is the longest time between two wakes of a thread of the target that sleeps 1 ms
over and over: what the target itself felt."""
import contextlib
import datetime
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import lib  # pylint: disable=wrong-import-position
from lib import Target

METER = Path(__file__).parent / "meter.py"
LOITER_RUNS = 9
GAP_RUNS = 9
EU_STACK_BUDGET_S = 12  # at most so long, but once at least
COUNTS = (10, 200, 2_000, 10_000)
LOITER_ONLY = (25_000,)
RATIO_AT, RATIO_MIN = 10_000, 40
SECONDS_MAX = {10_000: 0.25, 25_000: 0.6}
MEMORY_MAX_KB = 64 * 1024
GAP_SLACK_US = 1000  # what two runs of the same noise may differ by


@dataclass
class Cost:
    """Of one command, over its runs."""
    seconds: list[float]
    maxrss_kb: int

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass
class Gaps:
    """The heartbeat's longest gap in each of several spans of equal length."""
    alone: list[int]
    elsewhere: list[int]  # while loiter looks at another process: what the CPUs' load alone does
    loiter: list[int]
    eu_stack: Optional[int]  # of one span, which lasts as long as it takes


@dataclass
class Row:
    count: int
    loiter: Cost
    eu_stack: Optional[Cost]

    @property
    def ratio(self) -> float:
        return self.eu_stack.median / self.loiter.median if self.eu_stack else 0


class Run(NamedTuple):
    """Of one command, once."""
    seconds: float
    maxrss_kb: int
    started_at: float  # as time.time() has it
    cpu_s: float


def run_once(command: list[str], output: Path) -> Run:
    done = subprocess.run([sys.executable, "-ISE", str(METER), str(output), *command], check=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    cost = json.loads(done.stdout)
    # eu-stack ends with 1 when it missed something of one thread.
    if cost["status"] not in ((0,) if command[0] == str(lib.LOITER) else (0, 1)):
        raise RuntimeError(f"{' '.join(command)}: status {cost['status']}")
    return Run(cost["seconds"], cost["maxrss_kb"], cost["started_at"], cost["cpu_s"])


def measure(command: list[str], runs: int, output: Path, budget_s: float = 1e9) -> Cost:
    cost = Cost([], 0)
    while len(cost.seconds) < runs and (not cost.seconds or sum(cost.seconds) < budget_s):
        run = run_once(command, output)
        cost.seconds.append(run.seconds)
        cost.maxrss_kb = max(cost.maxrss_kb, run.maxrss_kb)
    return cost


def loiter_command(pid: int) -> list[str]:
    return [str(lib.LOITER), "dump", "-p", str(pid)]


def eu_stack_command(pid: int) -> list[str]:
    return [shutil.which("eu-stack") or "eu-stack", "-n", "0", "-p", str(pid)]


def measure_row(count: int, path: Path, beside: bool) -> Row:
    """Both are run on the same process, loiter around eu-stack, so that noise meets both."""
    output = path / "output"
    with lib.workload("herd", count) as target:
        loiter = measure(loiter_command(target.pid), LOITER_RUNS, output)
        text = output.read_text()
        if f"{count} threads [cond wait" not in text:
            raise RuntimeError(f"not all threads were reported:\n{text[:500]}")
        if not beside:
            return Row(count, loiter, None)
        eu_stack = measure(eu_stack_command(target.pid), LOITER_RUNS, output, EU_STACK_BUDGET_S)
        again = measure(loiter_command(target.pid), LOITER_RUNS, output)
        loiter = Cost(loiter.seconds + again.seconds, max(loiter.maxrss_kb, again.maxrss_kb))
        return Row(count, loiter, eu_stack)


def take_gap(target: Target) -> int:
    """Returns the longest gap since it was last asked for, in us."""
    target.proc.send_signal(signal.SIGUSR1)
    line = target.read_line()
    match = re.fullmatch(r"gap_us (\d+)", line)
    if not match:
        raise RuntimeError(f"herd said '{line}'")
    return int(match[1])


def measure_gaps(count: int, path: Path, eu_stack: bool) -> Gaps:
    """Spans of the three kinds take turns, each as long as the others."""
    output = path / "output"
    gaps = Gaps([], [], [], None)
    with lib.workload("herd", count, "heartbeat") as target, lib.workload("herd", count) as other:
        span_s = 2 * max(run_once(loiter_command(target.pid), output).seconds, 0.05)
        for _ in range(GAP_RUNS):
            for spans, command in ((gaps.alone, ["sleep", "0.01"]),
                                   (gaps.elsewhere, loiter_command(other.pid)),
                                   (gaps.loiter, loiter_command(target.pid))):
                take_gap(target)
                ends = time.monotonic() + span_s
                subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
                time.sleep(max(ends - time.monotonic(), 0))
                spans.append(take_gap(target))
        if eu_stack:
            run_once(eu_stack_command(target.pid), output)
            gaps.eu_stack = take_gap(target)
    return gaps


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.2f} s"


def table(rows: list[Row], gaps: dict[int, Gaps]) -> list[str]:
    lines = [f"{'threads':>8} {'loiter':>10} {'worst':>10} {'memory':>8} {'eu-stack':>10} "
             f"{'ratio':>7}"]
    for row in rows:
        other = milliseconds(row.eu_stack.median) if row.eu_stack else "-"
        ratio = f"{row.ratio:.1f}" if row.eu_stack else "-"
        lines.append(f"{row.count:>8,} {milliseconds(row.loiter.median):>10} "
                     f"{milliseconds(max(row.loiter.seconds)):>10} "
                     f"{row.loiter.maxrss_kb / 1024:>5.1f} MB {other:>10} {ratio:>7}")
    lines += ["", "longest gap of a 1 ms heartbeat in the target, median and worst of "
              f"{GAP_RUNS} spans",
              f"{'threads':>8} {'nobody looks':>18} {'loiter elsewhere':>18} {'loiter':>18} "
              f"{'eu-stack':>9}"]
    for count, gap in gaps.items():
        spans = [f"{statistics.median(of) / 1000:.2f} / {max(of) / 1000:.2f} ms"
                 for of in (gap.alone, gap.elsewhere, gap.loiter)]
        other = f"{gap.eu_stack / 1000:,.1f} ms" if gap.eu_stack else "-"
        lines.append(f"{count:>8,} " + " ".join(f"{span:>18}" for span in spans) + f" {other:>9}")
    return lines


def misses(rows: list[Row], gaps: dict[int, Gaps]) -> list[str]:
    """Returns what was promised and is not so."""
    ret = []
    for row in rows:
        limit = SECONDS_MAX.get(row.count)
        if limit and row.loiter.median > limit:
            ret.append(f"{row.count:,} threads took {row.loiter.median:.3f} s, not {limit} s")
        if row.loiter.maxrss_kb > MEMORY_MAX_KB:
            ret.append(f"{row.count:,} threads took {row.loiter.maxrss_kb // 1024} MB, not 64 MB")
        if row.count == RATIO_AT and row.ratio < RATIO_MIN:
            ret.append(f"at {row.count:,} threads {row.ratio:.1f} times faster than eu-stack, "
                       f"not {RATIO_MIN} times")
    for count, gap in gaps.items():
        noise = max(statistics.median(gap.alone), statistics.median(gap.elsewhere))
        loiter = statistics.median(gap.loiter)
        if loiter > noise + GAP_SLACK_US and loiter > max(gap.alone):
            ret.append(f"at {count:,} threads the heartbeat's gap grew from {noise / 1000:.2f} ms "
                       f"to {loiter / 1000:.2f} ms")
    return ret


def machine() -> str:
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    today = datetime.date.today().isoformat()
    return (f"{today}, Linux {platform.release()} {platform.machine()}, {os.cpu_count()} CPUs, "
            f"load {load} at the start")


def conclude(lines: list[str], missed: list[str]) -> int:
    """Prints the report, whose first line was printed at the start, and writes it to FILE."""
    lines = lines + ([f"MISSED: {what}" for what in missed] or ["every promise kept"])
    print("\n".join(lines[1:]))
    Path(sys.argv[1]).write_text("\n".join(lines) + "\n")
    return 1 if missed else 0


def main() -> int:
    lines = [machine()]
    print(lines[0], flush=True)
    if os.geteuid():
        print("bench: needs root", file=sys.stderr)
        return 1
    beside = bool(shutil.which("eu-stack"))
    if not beside:
        print("bench: there is no eu-stack to compare with", file=sys.stderr)
        return 1
    rows, gaps = [], {}
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(lib.scratch_dir())
        for count in COUNTS + LOITER_ONLY:
            rows.append(measure_row(count, path, count in COUNTS))
        for count in COUNTS[1:]:
            gaps[count] = measure_gaps(count, path, eu_stack=True)
    lines += ["", *table(rows, gaps), ""]
    return conclude(lines, misses(rows, gaps))


if __name__ == "__main__":
    sys.exit(main())
