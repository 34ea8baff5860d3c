#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""record_bench.py FILE: what a recording costs, measured in one run beside programs that do nothing
and beside offcputime, which walks by frame pointers. Prints tables, writes them to FILE too, and
fails when loiter misses what it promises. docs/COST.md says how to read them.

The target is two threads on one CPU that hand a token to and fro, so that all it does is switch.
They run as SCHED_BATCH: a thread that is woken waits until the other blocks, each switch is one
that blocks, and all observers have the same to do at each. What a switch costs is the run time of
all programs of the observer, from the kernel's statistics, by the switches of the target. What the
target itself feels, its switches a second, is measured with the statistics off, since they cost as
well. Observers take turns, and every figure is the median of the turns."""
import contextlib
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterator, Optional

from bench import conclude, machine, run_once

import lib
from lib import LOITER, REPO, WORKLOADS, find_program, workload

EMPTY = str(REPO / "build" / "bench" / "empty")
SWITCH, WAKING = "sched_switch", "sched_waking"
ROUNDS = 7
WARM_UP_S = 0.5
SPAN_S = 0.6
FRAMES = (9, 31)
RATIO_AT, RATIO_MAX = 9, 0.3
UNWATCHED_MAX_NS = 40
START_RUNS = 11
START_MAX_S = 0.5
LOAD_PER_S = 20_000
LOAD_SPAN_S = 5
LOAD_ROUNDS = 3
CPU_MAX = 0.05

Command = list[str]


# --- what the kernel says of a process's BPF programs and maps -------------------------------------

def fdinfos(pid: int) -> list[dict[str, str]]:
    """Returns what /proc says of each descriptor of @pid; those that close meanwhile are left out."""
    ret = []
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            ret.append(dict(line.split(":\t", 1) for line in path.read_text().splitlines()
                            if ":\t" in line))
    return ret


def attached_events(pid: int) -> list[str]:
    return sorted(info["tp_name"] for info in fdinfos(pid) if "tp_name" in info)


def run_times(pid: int) -> Counter[str]:
    """Returns the ns that programs of @pid have run for, by the event that they are attached to."""
    infos = fdinfos(pid)
    events = {info["prog_id"]: info.get("tp_name", info["link_type"]) for info in infos
              if "link_type" in info}
    ret: Counter[str] = Counter()
    for prog_id, run_ns in {info["prog_id"]: int(info["run_time_ns"]) for info in infos
                            if "run_time_ns" in info}.items():
        ret[events.get(prog_id, "not attached")] += run_ns
    return ret


def map_bytes(pid: int) -> int:
    return sum({info["map_id"]: int(info["memlock"]) for info in fdinfos(pid)
                if "map_id" in info and "memlock" in info}.values())


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
        Observer("empty program", lambda pid, other: [EMPTY, SWITCH]),
        Observer("two empty programs", lambda pid, other: [EMPTY, SWITCH, WAKING]),
        Observer("loiter, of another", lambda pid, other: loiter("-p", str(other))),
        Observer("loiter", lambda pid, other: loiter("-p", str(pid))),
        Observer("loiter --by waker",
                 lambda pid, other: loiter("-p", str(pid), "--by", "waker")),
        Observer("loiter --by wall", lambda pid, other: loiter("-p", str(pid), "--by", "wall")),
    ]
    offcputime = find_program("offcputime", "bpf-offcputime")
    if offcputime:
        ret.append(Observer("offcputime", lambda pid, other: [str(offcputime), "-p", str(pid)]))
    return ret


@contextlib.contextmanager
def observing(command: Optional[Command]) -> Iterator[Optional[int]]:
    """Runs @command and gives its pid once all its programs are attached and it is warm."""
    if not command:
        time.sleep(WARM_UP_S)
        yield None
        return
    proc = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    before: list[str] = []

    def attached() -> bool:
        nonlocal before
        if proc.poll() is not None:
            raise RuntimeError(f"{' '.join(command)}: ended with status {proc.returncode}")
        events, last = attached_events(proc.pid), before
        before = events
        return SWITCH in events and events == last
    try:
        lib.wait_for(f"{command[0]} to attach", attached)
        time.sleep(WARM_UP_S)
        yield proc.pid
    finally:
        lib.stop_process(proc)


# --- the cost of a switch -------------------------------------------------------------------------

@dataclass
class Cost:
    """Of one observer of one target, a figure a round."""
    switches_per_s: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)  # of what they are with no observer
    event_ns: dict[str, list[float]] = field(default_factory=dict)  # for each switch
    ns: list[float] = field(default_factory=list)  # of all events

    def event(self, name: str) -> float:
        return statistics.median(self.event_ns[name]) if name in self.event_ns else 0

    @property
    def total(self) -> float:
        return statistics.median(self.ns) if self.ns else 0


def switch_cnt(pid: int) -> int:
    return sum(map(sum, lib.switches(pid).values()))


def measure_speed(pid: int) -> float:
    """Returns the switches of @pid a second."""
    began, before = time.monotonic(), switch_cnt(pid)
    time.sleep(SPAN_S)
    count, ended = switch_cnt(pid), time.monotonic()
    return (count - before) / (ended - began)


def measure_round(cost: Cost, pid: int, observer_pid: Optional[int]) -> float:
    speed = measure_speed(pid)
    cost.switches_per_s.append(speed)
    if not observer_pid:
        return speed
    with lib.running("stats", [EMPTY, "stats"]) as stats:
        stats.read_until("ready")
        before, switches = run_times(observer_pid), switch_cnt(pid)
        time.sleep(SPAN_S)
        after, switches = run_times(observer_pid), switch_cnt(pid) - switches
    for event, run_ns in after.items():
        cost.event_ns.setdefault(event, []).append((run_ns - before[event]) / switches)
    cost.ns.append((after.total() - before.total()) / switches)
    return speed


def measure_switches(pid: int, other: int, who: list[Observer]) -> dict[str, Cost]:
    costs = {observer.name: Cost() for observer in who}
    for _ in range(ROUNDS):
        alone = 0.0
        for observer in who:
            with observing(observer.command(pid, other)) as observer_pid:
                speed = measure_round(costs[observer.name], pid, observer_pid)
            alone = alone or speed
            costs[observer.name].share.append(speed / alone)
    return costs


def frame_cnt(pid: int) -> int:
    """Returns how deep the stacks are with which @pid blocks most often."""
    done = lib.run_loiter("record", "-p", pid, "-d", "300ms", "-f", "json")
    spans = [span for process in json.loads(done.stdout)["processes"]
             for span in process["spans"] if span.get("quality") == "complete"]
    most = max(spans, key=lambda span: span["count"])
    return len(lib.frames_of(most))


@contextlib.contextmanager
def pinned(name: str, command: Command) -> Iterator[lib.Target]:
    """Runs @command on one CPU, where a thread that is woken waits for the running one to block."""
    cpu = str(max(os.sched_getaffinity(0)))
    with lib.running(name, ["taskset", "-c", cpu, "chrt", "-b", "0", *command]) as target:
        yield target


@dataclass
class Row:
    target: str
    frames: int
    costs: dict[str, Cost]


def measure_depth(frames: int, other: int, who: list[Observer]) -> Row:
    with pinned("depth", [str(WORKLOADS / "depth"), str(frames)]) as target:
        target.read_until("ready")
        found = frame_cnt(target.pid)
        if found != frames:
            raise RuntimeError(f"depth {frames}: blocks with {found} frames")
        return Row(f"depth {frames}", found, measure_switches(target.pid, other, who))


def measure_pipe(perf: str, other: int, who: list[Observer]) -> Row:
    with pinned("perf bench", [perf, "bench", "sched", "pipe", "-T", "-l", "2000000000"]) as target:
        lib.wait_for("perf to have its threads", lambda: len(lib.tids(target.pid)) == 3)
        return Row("perf bench sched pipe", frame_cnt(target.pid),
                   measure_switches(target.pid, other, who))


def switch_table(rows: list[Row]) -> list[str]:
    lines = ["cost of a switch that blocks, in ns, and what is left of the target's speed",
             f"{'target':<22} {'frames':>6}  {'observer':<19} {'at switch':>9} {'at wakeup':>9} "
             f"{'in all':>7} {'switches/s':>10} {'left':>6}"]
    for row in rows:
        for name, cost in row.costs.items():
            at_switch = f"{cost.event(SWITCH):,.0f}" if cost.ns else "-"
            at_waking = f"{cost.event(WAKING):,.0f}" if WAKING in cost.event_ns else "-"
            total = f"{cost.total:,.0f}" if cost.ns else "-"
            lines.append(f"{row.target:<22} {row.frames:>6}  {name:<19} {at_switch:>9} "
                         f"{at_waking:>9} {total:>7} "
                         f"{statistics.median(cost.switches_per_s):>10,.0f} "
                         f"{statistics.median(cost.share):>6.0%}")
    return lines


def switch_misses(rows: list[Row]) -> list[str]:
    ret = []
    for row in rows:
        if "loiter, of another" in row.costs:
            empty, ours = row.costs["two empty programs"], row.costs["loiter, of another"]
            more = ours.total - empty.total
            if more > UNWATCHED_MAX_NS:
                ret.append(f"{row.target}, not watched, pays {more:.0f} ns more than for programs "
                           f"that do nothing, not {UNWATCHED_MAX_NS} ns")
        if row.frames == RATIO_AT and "offcputime" in row.costs:
            ratio = row.costs["loiter"].total / row.costs["offcputime"].total
            if ratio > RATIO_MAX:
                ret.append(f"{row.target} costs {ratio:.2f} times what offcputime does, "
                           f"not {RATIO_MAX} times")
    return ret


def ratios(rows: list[Row]) -> list[str]:
    return ["", *(f"{row.target}: {row.costs['loiter'].total / row.costs['offcputime'].total:.2f} "
                  "times the cost of offcputime" for row in rows if "offcputime" in row.costs)]


# --- the start ------------------------------------------------------------------------------------

@dataclass
class Start:
    options: str
    seconds: list[float]  # from exec to the start of the window
    whole_s: list[float]
    maxrss_kb: int


def measure_start(pid: int, options: str, output: Path) -> Start:
    start = Start(options, [], [], 0)
    command = [str(LOITER), "record", "-p", str(pid), "-d", "100ms", "-q", "-f", "json",
               *options.split()]
    for _ in range(START_RUNS):
        run = run_once(command, output)
        began = datetime.datetime.fromisoformat(
            json.loads(output.read_text())["time"].replace("Z", "+00:00"))
        start.seconds.append(began.timestamp() - run.started_at)
        start.whole_s.append(run.seconds)
        start.maxrss_kb = max(start.maxrss_kb, run.maxrss_kb)
    return start


def start_table(starts: list[Start]) -> list[str]:
    lines = ["", "recording mariadbd for 0.1 s",
             f"{'options':<12} {'start':>8} {'worst':>8} {'whole command':>14} {'memory':>8}"]
    for start in starts:
        lines.append(f"{start.options or '-':<12} {statistics.median(start.seconds):>6.2f} s "
                     f"{max(start.seconds):>6.2f} s {statistics.median(start.whole_s):>12.2f} s "
                     f"{start.maxrss_kb / 1024:>5.1f} MB")
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


def cpu_s(pid: int) -> float:
    """Returns the CPU time that @pid has used itself."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def measure_load(pid: int, options: str) -> Load:
    load = Load(options)
    for _ in range(LOAD_ROUNDS):
        with observing(loiter("-p", str(pid), *options.split())) as observer_pid:
            assert observer_pid
            began, used, switches = time.monotonic(), cpu_s(observer_pid), switch_cnt(pid)
            time.sleep(LOAD_SPAN_S)
            used, switches = cpu_s(observer_pid) - used, switch_cnt(pid) - switches
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

def measure_rows(leave_out: Callable[[str, str], None]) -> list[Row]:
    who = observers()
    if who[-1].name != "offcputime":
        leave_out("offcputime", "not installed (libbpf-tools)")
    perf = find_program("perf")
    rows = []
    with workload("herd", 10) as other:
        if perf:
            rows.append(measure_pipe(perf, other.pid, who))
        else:
            leave_out("perf bench sched pipe", "no perf")
        for frames in FRAMES:
            rows.append(measure_depth(frames, other.pid, who if frames == RATIO_AT else
                                      [one for one in who
                                       if one.name in ("nothing", "loiter", "offcputime")]))
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

    rows = measure_rows(leave_out)
    starts = measure_starts(leave_out)
    with workload("depth", RATIO_AT, LOAD_PER_S) as target:
        loads = [measure_load(target.pid, options) for options in ("", "--by waker", "--by wall")]
    lines += ["", *switch_table(rows), *ratios(rows), *start_table(starts), *load_table(loads), ""]
    return conclude(lines, switch_misses(rows) + start_misses(starts) + load_misses(loads))


if __name__ == "__main__":
    sys.exit(main())
