#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""record_bench.py FILE: what a recording costs, measured in one run beside programs that do nothing
and beside offcputime, which walks by frame pointers. Prints tables, writes them to FILE too, and
fails when loiter misses what it promises. docs/COST.md says how to read them.

The target is two threads on one CPU that hand a token to and fro, so that all it does is switch.
They run as SCHED_BATCH: a thread that is woken waits until the other blocks, each switch is one
that blocks, and all observers have the same to do at each. What a switch costs is the run time of
all programs of the observer, from the kernel's statistics, by the switches of the target. What the
target itself feels, its CPU time by its switches, is measured with the statistics off, since they
cost as well. Observers take turns, and every figure is the median of the turns."""
import contextlib
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterator, Optional

from bench import conclude, machine, run_once

import lib
from lib import LOITER, REPO, WORKLOADS, find_program, workload

EMPTY = str(REPO / "build" / "bench" / "empty")
SWITCH, WAKING, FAULT = "sched_switch", "sched_waking", "page_fault_user"
ROUNDS = 5
SETTLED_LOOKS = 5
WARM_UP_S = 0.3
SPAN_S = 0.6
SWITCHES_MIN = 20_000  # in a span
OFTEN = 1_000
RATIO_AT, RATIO_MAX = 9, 0.3
MORE_FRAMES = (31, 100)
UNWATCHED_MAX_NS = 40
START_RUNS = 11
START_MAX_S = 0.5
LOAD_PER_S = 20_000
LOAD_SPAN_S = 5
LOAD_ROUNDS = 3
CPU_MAX = 0.05
OFFCPUTIME, BY_FUTEX = "offcputime", "loiter --by futex"

# Reads the first word of each page of memory that is new each time.
READ_FAULTS = """
import mmap
print("ready", flush=True)
while True:
    with mmap.mmap(-1, 1 << 22) as area:
        area.madvise(mmap.MADV_NOHUGEPAGE)
        for at in range(0, 1 << 22, 4096):
            area[at]
"""

Command = list[str]


# --- what the kernel says of a process's BPF programs and maps ------------------------------------

def fdinfos(pid: int) -> list[dict[str, str]]:
    """Returns what /proc says of each descriptor of @pid, but for those that close meanwhile."""
    ret = []
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            ret.append(dict(line.split(":\t", 1) for line in path.read_text().splitlines()
                            if ":\t" in line))
    return ret


def attached_events(pid: int) -> list[str]:
    return sorted(info["tp_name"] for info in fdinfos(pid) if "tp_name" in info)


@dataclass
class Runs:
    """Of the programs that are attached to one event."""
    ns: int = 0
    cnt: int = 0


def runs_of(pid: int) -> dict[str, Runs]:
    """Returns how often and how long the programs of @pid ran, by event."""
    infos = fdinfos(pid)
    events = {info["prog_id"]: info.get("tp_name") or info.get("name") or info["link_type"]
              for info in infos if "link_type" in info}
    progs = {info["prog_id"]: info for info in infos if "run_time_ns" in info}
    ret: dict[str, Runs] = {}
    for prog_id, info in progs.items():
        runs = ret.setdefault(events.get(prog_id, "not attached"), Runs())
        runs.ns += int(info["run_time_ns"])
        runs.cnt += int(info["run_cnt"])
    return ret


@contextlib.contextmanager
def counted(observer_pid: int) -> Iterator[dict[str, Runs]]:
    """Gives what programs of @observer_pid ran within the block, filled in when it ends."""
    ret: dict[str, Runs] = {}
    with lib.running("stats", [EMPTY, "stats"]) as stats:
        stats.read_until("ready")
        before = runs_of(observer_pid)
        yield ret
        for event, runs in runs_of(observer_pid).items():
            ret[event] = Runs(runs.ns - before[event].ns, runs.cnt - before[event].cnt)


def map_bytes(pid: int) -> int:
    return sum({info["map_id"]: int(info["memlock"]) for info in fdinfos(pid)
                if "map_id" in info and "memlock" in info}.values())


def cpu_s(pid: int) -> float:
    """Returns the CPU time that @pid has used itself."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


# --- observers ------------------------------------------------------------------------------------

@dataclass
class Observer:
    name: str
    command: Callable[[int, int], Optional[Command]]  # of the target and of another process


def loiter(*options: str) -> Command:
    return [str(LOITER), "record", "-d", "0", "-q", *options]


def observers() -> list[Observer]:
    ret = [
        Observer("nothing", lambda pid, other: None),
        Observer("an empty program", lambda pid, other: [EMPTY, SWITCH]),
        Observer("two empty programs", lambda pid, other: [EMPTY, SWITCH, WAKING]),
        Observer("loiter, of another", lambda pid, other: loiter("-p", str(other))),
        Observer("loiter", lambda pid, other: loiter("-p", str(pid))),
        Observer("loiter --by waker",
                 lambda pid, other: loiter("-p", str(pid), "--by", "waker")),
        Observer("loiter --by wall", lambda pid, other: loiter("-p", str(pid), "--by", "wall")),
        Observer("loiter -k", lambda pid, other: loiter("-p", str(pid), "-k")),
        Observer(BY_FUTEX, lambda pid, other: loiter("-p", str(pid), "--by", "futex")),
        Observer(f"{BY_FUTEX}, of another",
                 lambda pid, other: loiter("-p", str(other), "--by", "futex")),
    ]
    offcputime = find_program(OFFCPUTIME, "bpf-offcputime")
    if offcputime:
        ret.append(Observer(OFFCPUTIME, lambda pid, other: [str(offcputime), "-p", str(pid)]))
    return ret


class Settling:
    """Whether an observer that has a program attached to an event has done nothing for a while, or
    has ended."""
    def __init__(self, pid: int, event: str) -> None:
        self.pid, self.event = pid, event
        self.looks: list[tuple[list[str], float]] = []

    def __call__(self) -> bool:
        if lib.has_state(self.pid, self.pid, "ZX"):
            return True
        asleep = lib.has_state(self.pid, self.pid, "S")
        self.looks.append((attached_events(self.pid) if asleep else [], cpu_s(self.pid)))
        return self.event in self.looks[-1][0] and \
            self.looks[-SETTLED_LOOKS:] == [self.looks[-1]] * SETTLED_LOOKS


@contextlib.contextmanager
def observing(command: Optional[Command], event: str = SWITCH) -> Iterator[Optional[int]]:
    """Runs @command and gives its pid once it has attached its programs, one of them to @event, and
    then done nothing for a while: it is set up, and warm."""
    if not command:
        time.sleep(WARM_UP_S)
        yield None
        return
    proc = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        lib.wait_for(f"{command[0]} to attach and settle", Settling(proc.pid, event))
        if proc.poll() is not None:
            raise RuntimeError(f"{' '.join(command)}: ended with status {proc.returncode}")
        time.sleep(WARM_UP_S)
        yield proc.pid
    finally:
        lib.stop_process(proc)


# --- the cost of a switch -------------------------------------------------------------------------

@dataclass
class Cost:
    """Of one observer of one target, in ns a switch of the target; a figure a round."""
    target_cpu: list[float] = field(default_factory=list)
    more_cpu: list[float] = field(default_factory=list)  # than with no observer
    by_event: dict[str, list[float]] = field(default_factory=dict)
    programs: list[float] = field(default_factory=list)  # all events

    def event(self, name: str) -> float:
        return statistics.median(self.by_event[name])

    @property
    def total(self) -> float:
        return statistics.median(self.programs)


@dataclass
class Spent:
    """By the threads of a target, so far."""
    switches: int
    cpu_ns: int

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.switches - other.switches, self.cpu_ns - other.cpu_ns)


def spent(pid: int) -> Spent:
    cpu_ns = sum(int(Path(f"/proc/{pid}/task/{tid}/schedstat").read_text().split()[0])
                 for tid in lib.tids(pid))
    return Spent(sum(map(sum, lib.switches(pid).values())), cpu_ns)


def spend(pid: int) -> Spent:
    """Returns what threads of @pid spend for a while; where others crowd the CPU, a longer one."""
    before, began = spent(pid), time.monotonic()

    def enough() -> Optional[Spent]:
        used = spent(pid) - before
        return used if time.monotonic() - began > SPAN_S and used.switches > SWITCHES_MIN else None
    return lib.wait_for("the target to switch", enough)


def measure_round(cost: Cost, pid: int, observer_pid: Optional[int]) -> float:
    """Returns the CPU time of a switch of @pid."""
    used = spend(pid)
    cost.target_cpu.append(used.cpu_ns / used.switches)
    if observer_pid:
        with counted(observer_pid) as counts:
            used = spend(pid)
        for event, runs in counts.items():
            cost.by_event.setdefault(event, []).append(runs.ns / used.switches)
        cost.programs.append(sum(runs.ns for runs in counts.values()) / used.switches)
    return cost.target_cpu[-1]


def measure_switches(pid: int, other: int, who: list[Observer]) -> dict[str, Cost]:
    costs = {observer.name: Cost() for observer in who}
    for _ in range(ROUNDS):
        alone = 0.0
        for observer in who:
            with observing(observer.command(pid, other)) as observer_pid:
                cpu = measure_round(costs[observer.name], pid, observer_pid)
            alone = alone or cpu
            costs[observer.name].more_cpu.append(cpu - alone)
    return costs


def frame_cnt(pid: int) -> int:
    """Returns how deep the stacks are with which @pid blocks over and over."""
    def found() -> int:
        done = lib.run_loiter("record", "-p", pid, "-d", "300ms", "-f", "json")
        spans = [span for process in json.loads(done.stdout)["processes"]
                 for span in process["spans"]
                 if span.get("quality") == "complete" and span["count"] > OFTEN]
        return max((len(lib.frames_of(span)) for span in spans), default=0)
    return lib.wait_for("the target to block", found)


@contextlib.contextmanager
def pinned(name: str, command: Command) -> Iterator[lib.Target]:
    """Runs @command on one CPU, where a thread that is woken waits for the running one to block."""
    cpu = str(max(os.sched_getaffinity(0)))
    with lib.running(name, ["nice", "-n", "-10", "taskset", "-c", cpu,
                            "chrt", "-b", "0", *command]) as target:
        yield target


@dataclass
class Row:
    target: str
    frames: int
    costs: dict[str, Cost]


def depth_command(kind: str, frames: int) -> Command:
    return [str(WORKLOADS / "depth"), kind, str(frames)]


def measure_depth(kind: str, frames: int, other: int, who: list[Observer]) -> Row:
    with pinned("depth", depth_command(kind, frames)) as target:
        target.read_until("ready")
        found = frame_cnt(target.pid)
        if found != frames:
            raise RuntimeError(f"depth {frames}: blocks with {found} frames")
        return Row(f"{kind} ping-pong", found, measure_switches(target.pid, other, who))


def measure_pipe(perf: str, other: int, who: list[Observer]) -> Row:
    with pinned("perf bench", [perf, "bench", "sched", "pipe", "-T", "-l", "2000000000"]) as target:
        lib.wait_for("perf to have its threads", lambda: len(lib.tids(target.pid)) == 3)
        return Row("perf bench sched pipe", frame_cnt(target.pid),
                   measure_switches(target.pid, other, who))


def switch_table(rows: list[Row]) -> list[str]:
    lines = ["cost of a switch that blocks, in ns: of the observer's programs, and what the target "
             "took more CPU",
             f"{'target':<22} {'frames':>6}  {'observer':<29} {'switch':>6} {'wakeup':>6} "
             f"{'in all':>6} {'target CPU':>10} {'more':>6}"]
    for row in rows:
        for name, cost in row.costs.items():
            events = [f"{cost.event(event):,.0f}" if event in cost.by_event else "-"
                      for event in (SWITCH, WAKING)]
            total = f"{cost.total:,.0f}" if cost.programs else "-"
            lines.append(f"{row.target:<22} {row.frames:>6}  {name:<29} {events[0]:>6} "
                         f"{events[1]:>6} {total:>6} {statistics.median(cost.target_cpu):>10,.0f} "
                         f"{statistics.median(cost.more_cpu):>6,.0f}")
    lines += ["", *(f"{row.target}, {row.frames} frames: {ratio(row, 'loiter'):.2f} times "
                    "offcputime's" for row in rows if OFFCPUTIME in row.costs)]
    return lines


def ratio(row: Row, name: str) -> float:
    return row.costs[name].total / row.costs[OFFCPUTIME].total


def switch_misses(rows: list[Row]) -> list[str]:
    return [f"{row.target}, {row.frames} frames, costs {ratio(row, 'loiter'):.2f} times what "
            f"offcputime does, not {RATIO_MAX} times" for row in rows
            if row.frames == RATIO_AT and OFFCPUTIME in row.costs
            and ratio(row, "loiter") > RATIO_MAX]


# --- what is not watched --------------------------------------------------------------------------

@dataclass
class Unwatched:
    """What one event costs a process that nobody watches, in ns; a figure a round."""
    empty: list[float] = field(default_factory=list)
    loiter: list[float] = field(default_factory=list)

    @property
    def more(self) -> float:
        return statistics.median(self.loiter) - statistics.median(self.empty)


def measure_unwatched(other: int) -> dict[str, Unwatched]:
    """Each event by a target that does little else, for programs that do nothing and for those of a
    recording of @other."""
    ret = {event: Unwatched() for event in (SWITCH, WAKING, FAULT)}
    with pinned("depth", depth_command("pipe", RATIO_AT)) as switching, \
            pinned("faults", [sys.executable, "-c", READ_FAULTS]) as faulting:
        switching.read_until("ready")
        faulting.read_until("ready")
        for _ in range(ROUNDS):
            with observing([EMPTY, *ret]) as observer_pid, counted(observer_pid) as counts:
                time.sleep(SPAN_S)
            for event, cost in ret.items():
                cost.empty.append(counts[event].ns / counts[event].cnt)
            with observing(loiter("-p", str(other))) as observer_pid, \
                    counted(observer_pid) as counts:
                time.sleep(SPAN_S)
            for event, cost in ret.items():
                cost.loiter.append(counts[event].ns / counts[event].cnt)
    return ret


def unwatched_table(costs: dict[str, Unwatched]) -> list[str]:
    lines = ["", "what a process pays that is not watched, in ns for each event",
             f"{'event':<16} {'empty program':>13} {'loiter':>7} {'more':>5}"]
    for event, cost in costs.items():
        lines.append(f"{event:<16} {statistics.median(cost.empty):>13.0f} "
                     f"{statistics.median(cost.loiter):>7.0f} {cost.more:>5.0f}")
    return lines


def unwatched_misses(costs: dict[str, Unwatched]) -> list[str]:
    return [f"a process that is not watched pays {cost.more:.0f} ns more at {event} than for a "
            f"program that does nothing, not {UNWATCHED_MAX_NS} ns"
            for event, cost in costs.items() if cost.more > UNWATCHED_MAX_NS]


# --- the start ------------------------------------------------------------------------------------

@dataclass
class Start:
    options: str
    seconds: list[float]  # from exec to the start of the window
    whole_s: list[float]
    cpu_s: list[float]
    maxrss_kb: int


def measure_start(pid: int, options: str, output: Path) -> Start:
    start = Start(options, [], [], [], 0)
    command = [str(LOITER), "record", "-p", str(pid), "-d", "100ms", "-q", "-f", "json",
               *options.split()]
    for _ in range(START_RUNS):
        run = run_once(command, output)
        began = datetime.datetime.fromisoformat(
            json.loads(output.read_text())["time"].replace("Z", "+00:00"))
        start.seconds.append(began.timestamp() - run.started_at)
        start.whole_s.append(run.seconds)
        start.cpu_s.append(run.cpu_s)
        start.maxrss_kb = max(start.maxrss_kb, run.maxrss_kb)
    return start


def start_table(starts: list[Start]) -> list[str]:
    lines = ["", "recording mariadbd for 0.1 s: from exec to the start of the window, and in all",
             f"{'options':<12} {'start':>8} {'worst':>8} {'in all':>8} {'CPU':>8} {'memory':>8}"]
    for start in starts:
        lines.append(f"{start.options or '-':<12} {statistics.median(start.seconds):>6.2f} s "
                     f"{max(start.seconds):>6.2f} s {statistics.median(start.whole_s):>6.2f} s "
                     f"{statistics.median(start.cpu_s):>6.2f} s {start.maxrss_kb / 1024:>5.1f} MB")
    return lines


def start_misses(starts: list[Start]) -> list[str]:
    return [f"to start on mariadbd took {statistics.median(start.seconds):.2f} s, "
            f"not {START_MAX_S} s (options: {start.options or 'none'})" for start in starts
            if statistics.median(start.seconds) > START_MAX_S]


# --- what loiter itself takes ---------------------------------------------------------------------

@dataclass
class Load:
    options: str
    cpu: list[float] = field(default_factory=list)  # share of one CPU
    switches_per_s: list[float] = field(default_factory=list)
    rss_kb: int = 0
    map_bytes: int = 0


def measure_load(pid: int, options: str) -> Load:
    load = Load(options)
    for _ in range(LOAD_ROUNDS):
        with observing(loiter("-p", str(pid), *options.split())) as observer_pid:
            assert observer_pid
            began, used, switches = time.monotonic(), cpu_s(observer_pid), spent(pid).switches
            time.sleep(LOAD_SPAN_S)
            used, switches = cpu_s(observer_pid) - used, spent(pid).switches - switches
            span_s = time.monotonic() - began
            status = lib.status_fields(observer_pid, observer_pid)
            load.rss_kb = max(load.rss_kb, int(status["VmRSS"].split()[0]))
            load.map_bytes = max(load.map_bytes, map_bytes(observer_pid))
        load.cpu.append(used / span_s)
        load.switches_per_s.append(switches / span_s)
    return load


def load_table(loads: list[Load]) -> list[str]:
    lines = ["", f"loiter itself while it records some {LOAD_PER_S:,} switches a second",
             f"{'options':<12} {'switches/s':>10} {'CPU':>7} {'resident':>9} {'maps':>8}"]
    for load in loads:
        lines.append(f"{load.options or '-':<12} "
                     f"{statistics.median(load.switches_per_s):>10,.0f} "
                     f"{statistics.median(load.cpu):>7.2%} {load.rss_kb / 1024:>6.1f} MB "
                     f"{load.map_bytes / 2**20:>5.1f} MB")
    return lines


def load_misses(loads: list[Load]) -> list[str]:
    return [f"at {LOAD_PER_S} switches a second loiter takes {statistics.median(load.cpu):.1%} of "
            f"a CPU, not {CPU_MAX:.0%} (options: {load.options or 'none'})" for load in loads
            if statistics.median(load.cpu) > CPU_MAX]


# --------------------------------------------------------------------------------------------------

def measure_rows(other: int, leave_out: Callable[[str, str], None]) -> list[Row]:
    who = observers()
    few = [one for one in who if one.name in ("nothing", "loiter", OFFCPUTIME)]
    of_futexes = [one for one in who if one.name in ("nothing", "loiter")
                  or one.name.startswith(BY_FUTEX)]
    if who[-1].name != OFFCPUTIME:
        leave_out(OFFCPUTIME, "not installed (libbpf-tools)")
    rows = [measure_depth("pipe", RATIO_AT, other, who),
            measure_depth("futex", RATIO_AT, other, of_futexes),
            *(measure_depth("pipe", frames, other, few) for frames in MORE_FRAMES)]
    perf = find_program("perf")
    if perf:
        rows.append(measure_pipe(perf, other, few))
    else:
        leave_out("perf bench sched pipe", "no perf")
    return rows


def measure_starts(leave_out: Callable[[str, str], None]) -> list[Start]:
    if not find_program("mariadbd") or not find_program("mariadb-install-db"):
        leave_out("the start", "no mariadbd")
        return []
    with lib.mariadb() as target, lib.scratch_dir() as path:
        return [measure_start(target.pid, options, path / "output")
                for options in ("", "--by waker", "--by wall")]


def main() -> int:
    lines = [machine()]
    print(lines[0], flush=True)
    if os.geteuid():
        print("record_bench: needs root", file=sys.stderr)
        return 1

    def leave_out(what: str, why: str) -> None:
        lines.append(f"left out: {what}: {why}")

    with workload("herd", 10) as other:
        rows = measure_rows(other.pid, leave_out)
        unwatched = measure_unwatched(other.pid)
    starts = measure_starts(leave_out)
    with workload("depth", "pipe", RATIO_AT, LOAD_PER_S) as target:
        loads = [measure_load(target.pid, options) for options in ("", "--by waker", "--by wall")]
    lines += ["", *switch_table(rows), *unwatched_table(unwatched), *start_table(starts),
              *load_table(loads), ""]
    return conclude(lines, switch_misses(rows) + unwatched_misses(unwatched) +
                    start_misses(starts) + load_misses(loads))


if __name__ == "__main__":
    sys.exit(main())
