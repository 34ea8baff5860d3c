#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""leaks_bench.py FILE: what counting threads costs those that are counted, and loiter itself.
Prints tables, writes them to FILE too, and fails when loiter misses what it promises.

A thread's cost is the run time of loiter's programs, from the kernel's statistics, by the threads
that a target created meanwhile. What others feel is the CPU time of `perf bench`, in rounds of a
run while loiter counts the threads of every process of the machine between two runs without it:
those two tell what the noise is."""
import contextlib
import datetime
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator

from bench import METER, Run, conclude, machine, run_once
from record_bench import (WARM_UP_S, Command, Settling, attached_events, counted, cpu_s, map_bytes,
                          observing)

import lib
from lib import LOITER, find_program, workload

EXIT = "sched_process_exit"
BIRTHS, BIRTH_ROUNDS = 10_000, 5
BIRTH_MAX_NS = 5_000
PERF_ROUNDS = 15
PERF_BENCHES = {
    "pipe": ("pipe", "-T", "-l", "50000"),
    "messaging, threads": ("messaging", "-t", "-g", "2", "-l", "400"),
    "messaging, processes": ("messaging", "-g", "2", "-l", "200"),
}
LEAKED, LEAK_WINDOW_S, REPORT_MAX_S = 25_000, 10, 2
MANY, MANY_MAX_KB = 100_000, 60 * 1024


def leaks(*options: object) -> Command:
    return [str(LOITER), "leaks", "-q", *map(str, options)]


# --- what a thread costs --------------------------------------------------------------------------

@dataclass
class BirthCost:
    """A figure a round, in ns a thread of the target."""
    by_event: dict[str, list[float]] = field(default_factory=dict)
    programs: list[float] = field(default_factory=list)  # all events
    own_cpu: list[float] = field(default_factory=list)  # of loiter itself
    map_bytes: int = 0

    @property
    def total(self) -> float:
        return statistics.median(self.programs)


def give_birth(target: lib.Target, cnt: int) -> None:
    target.proc.send_signal(signal.SIGUSR1)
    target.read_until(f"done {cnt}")


def measure_births() -> BirthCost:
    cost = BirthCost()
    with workload("births", BIRTHS) as target, \
            observing(leaks("-p", target.pid, "-d", 0), EXIT) as observer_pid:
        assert observer_pid
        for _ in range(BIRTH_ROUNDS):
            used = cpu_s(observer_pid)
            with counted(observer_pid) as counts:
                give_birth(target, BIRTHS)
            for event, runs in counts.items():
                cost.by_event.setdefault(event, []).append(runs.ns / BIRTHS)
            cost.programs.append(sum(runs.ns for runs in counts.values()) / BIRTHS)
            cost.own_cpu.append((cpu_s(observer_pid) - used) * 1e9 / BIRTHS)
        cost.map_bytes = map_bytes(observer_pid)
    return cost


def birth_table(cost: BirthCost) -> list[str]:
    lines = [f"cost of a thread that is created and ends, in ns, at {BIRTHS:,} of them"]
    for event, ns in sorted(cost.by_event.items()):
        lines.append(f"  {event:<22} {statistics.median(ns):>8,.0f}")
    return lines + [f"  {'in all':<22} {cost.total:>8,.0f}",
                    f"  {'CPU of loiter itself':<22} {statistics.median(cost.own_cpu):>8,.0f}",
                    f"  maps: {cost.map_bytes / 2**20:.1f} MB"]


def birth_misses(cost: BirthCost) -> list[str]:
    if cost.total <= BIRTH_MAX_NS:
        return []
    return [f"a thread costs {cost.total:,.0f} ns, not {BIRTH_MAX_NS:,} ns"]


# --- what others feel -----------------------------------------------------------------------------

@dataclass
class Felt:
    """Shares of the CPU time of a run without loiter; a figure a round."""
    alone_s: list[float] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)  # between the two runs without
    more: list[float] = field(default_factory=list)  # of the run with loiter

    @property
    def noise_median(self) -> float:
        return statistics.median(map(abs, self.noise))

    @property
    def more_median(self) -> float:
        return statistics.median(self.more)


@contextlib.contextmanager
def counting_all() -> Iterator[None]:
    """Counts the threads of every process, which never comes to rest."""
    with lib.running("loiter", leaks("-a", "-d", 0), stderr=subprocess.DEVNULL) as target:
        lib.wait_for("loiter to attach", lambda: EXIT in attached_events(target.pid))
        time.sleep(WARM_UP_S)
        yield


def measure_felt(perf: str, options: tuple[str, ...], output: Path) -> Felt:
    felt = Felt()
    command = [perf, "bench", "sched", *options]

    def run() -> float:
        return run_once(command, output).cpu_s
    run()
    for _ in range(PERF_ROUNDS):
        before = run()
        with counting_all():
            beside = run()
        after = run()
        alone = (before + after) / 2
        felt.alone_s.append(alone)
        felt.noise.append((after - before) / alone)
        felt.more.append(beside / alone - 1)
    return felt


def felt_table(felt: dict[str, Felt]) -> list[str]:
    if not felt:
        return []
    lines = ["", "CPU time of perf bench sched while loiter counts all threads of the machine, "
             f"median of {PERF_ROUNDS} rounds",
             f"{'bench':<22} {'alone':>8} {'noise':>7} {'more':>7}"]
    for name, of in felt.items():
        lines.append(f"{name:<22} {statistics.median(of.alone_s):>6.2f} s {of.noise_median:>7.2%} "
                     f"{of.more_median:>7.2%}")
    return lines


def felt_misses(felt: dict[str, Felt]) -> list[str]:
    return [f"perf bench sched {name} takes {of.more_median:.1%} more CPU time, beyond the noise "
            f"of {of.noise_median:.1%}" for name, of in felt.items()
            if of.more_median > of.noise_median]


# --- many threads ---------------------------------------------------------------------------------

@dataclass
class Many:
    what: str
    run: Run
    after_s: float  # from the last look at the threads to the end of the run
    born: int
    ended: int
    losses: dict[str, int]


def many_of(what: str, run: Run, report: dict[str, Any]) -> Many:
    process = report["processes"][0]
    looked_at = datetime.datetime.fromisoformat(report["time"].replace("Z", "+00:00")).timestamp()
    return Many(what, run, run.started_at + run.seconds - looked_at, process["born"],
                process["ended"], report["losses"])


def measure_leaked(output: Path) -> Many:
    """The program, which prints as well, goes on when the window is over: nobody ends it."""
    saved, text = output.with_suffix(".loiter"), output.with_suffix(".txt")
    run = run_once(leaks("-d", f"{LEAK_WINDOW_S}s", "--save", saved, "-o", text, "--",
                         lib.WORKLOADS / "herd", LEAKED), output)
    run_once([str(LOITER), "replay", str(saved), "-f", "json"], output)
    report = json.loads(output.read_text())
    os.kill(report["processes"][0]["pid"], signal.SIGKILL)
    return many_of(f"{LEAKED:,} leaked", run, report)


@contextlib.contextmanager
def metered(command: Command, output: Path) -> Iterator[list[Run]]:
    """Runs @command, which has to end by itself in the block's end, and gives its cost then."""
    ret: list[Run] = []
    with subprocess.Popen([sys.executable, "-ISE", str(METER), str(output), *command],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as meter:
        (pid,) = lib.wait_for(f"{command[0]} to start", lambda: lib.children(meter.pid))
        lib.wait_for(f"{command[0]} to attach and settle", Settling(pid, EXIT))
        yield ret
        cost = json.loads(meter.communicate()[0])
    if cost["status"]:
        raise RuntimeError(f"{' '.join(command)}: status {cost['status']}")
    ret.append(Run(cost["seconds"], cost["maxrss_kb"], cost["started_at"], cost["cpu_s"]))


def measure_many(output: Path) -> Many:
    with workload("births", MANY) as target:
        with metered(leaks("-p", target.pid, "-d", 0, "-f", "json"), output) as runs:
            give_birth(target, MANY)
            lib.stop_process(target.proc)
    return many_of(f"{MANY:,} created and gone", runs[0], json.loads(output.read_text()))


def many_table(rows: list[Many]) -> list[str]:
    lines = ["", f"{'threads':<26} {'born':>8} {'ended':>8} {'report':>8} {'CPU':>8} "
             f"{'memory':>8}  losses"]
    for row in rows:
        lines.append(f"{row.what:<26} {row.born:>8,} {row.ended:>8,} {row.after_s:>6.2f} s "
                     f"{row.run.cpu_s:>6.2f} s {row.run.maxrss_kb / 1024:>5.1f} MB  "
                     f"{row.losses or 'none'}")
    return lines


def many_misses(leaked: Many, many: Many) -> list[str]:
    ret = []
    if leaked.after_s > REPORT_MAX_S:
        ret.append(f"{leaked.what}: {leaked.after_s:.2f} s after the window, "
                   f"not {REPORT_MAX_S} s")
    if leaked.born != LEAKED or leaked.ended:
        ret.append(f"{leaked.what}: {leaked.born:,} born and {leaked.ended:,} ended")
    if many.run.maxrss_kb > MANY_MAX_KB:
        ret.append(f"{many.what}: {many.run.maxrss_kb / 1024:.1f} MB, "
                   f"not {MANY_MAX_KB // 1024} MB")
    missed = sum(many.losses.get(name, 0) for name in ("births_unseen", "ends_unseen"))
    if many.born < MANY and not missed:
        ret.append(f"{many.what}: {MANY - many.born:,} lost, and not told")
    return ret


# --------------------------------------------------------------------------------------------------

def main() -> int:
    lines = [machine()]
    print(lines[0], flush=True)
    if os.geteuid():
        print("leaks_bench: needs root", file=sys.stderr)
        return 1
    felt: dict[str, Felt] = {}
    perf = find_program("perf")
    births = measure_births()
    with lib.scratch_dir() as path:
        leaked, many = measure_leaked(path / "output"), measure_many(path / "output")
        if perf:
            felt = {name: measure_felt(perf, options, path / "output")
                    for name, options in PERF_BENCHES.items()}
        else:
            lines.append("left out: perf bench sched: no perf")
    lines += ["", *birth_table(births), *felt_table(felt), *many_table([leaked, many]), ""]
    return conclude(lines, birth_misses(births) + felt_misses(felt) + many_misses(leaked, many))


if __name__ == "__main__":
    sys.exit(main())
