# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""What the tests of `loiter record` and `loiter leaks` share: recordings, their spans, and what must
hold of each."""
import contextlib
import functools
import json
import re
import signal
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Optional

import lib
from lib import LOITER, check, note

Report = dict[str, Any]
Span = dict[str, Any]
Frames = tuple[str, ...]  # names of functions, leaf first

EXACT = "exact"
LACKING = "lacking"
UNLEARNED = "unlearned"  # how a stack ends at code without rules yet
# Of what the compiler links in to begin and end a program: none has call frame information.
CRTSTUFF = {"frame_dummy", "register_tm_clones", "deregister_tm_clones", "__do_global_dtors_aux"}
LOADER = ("_dl_start", "_start")  # the outermost two
VERIFIED = re.compile(r"verified (\d+) stacks, (\d+) wrong")


def record(*args: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(LOITER), "record", *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=lib.DEADLINE_S, text=True, check=False)


def report_of(name: str, *args: object) -> Optional[Report]:
    done = record(*args, "-f", "json")
    if not check(f"{name}: recorded", done.returncode == 0, done.stderr):
        return None
    return json.loads(done.stdout)


def spans_of(report: Report, kind: Optional[str] = None) -> list[Span]:
    return [span for process in report["processes"] for span in process["spans"]
            if kind in (None, span["kind"])]


def functions(frames: list[dict[str, Any]]) -> Frames:
    """Returns each frame's name, inlined ones too; what has none is `?`."""
    return tuple(frame["function"] or "?" for frame in frames)


class Truth:
    """The stacks that a workload can be in, as far as its own functions go: those of libc, which
    differ between versions, are above and below them and never between."""

    def __init__(self, own: str, *stacks: str) -> None:
        """@own matches the names of the workload's own functions, and each of @stacks is a list
        of them, leaf first."""
        self._own = re.compile(own)
        self._stacks = [tuple(stack.split()) for stack in stacks]

    def own_part(self, frames: list[dict[str, Any]]) -> Frames:
        names = functions(frames)
        own = [i for i, name in enumerate(names) if self._own.fullmatch(name)]
        return names[own[0]:own[-1] + 1] if own else ()

    def judge(self, span: dict[str, Any]) -> str:
        """Judges what has frames, a span or its waker. Returns EXACT; LACKING for what was not
        learned in time, and is right as far as it goes; else what is wrong. The stacks of
        workloads are never damaged: none ends for any other reason."""
        part = self.own_part(span["frames"])
        if span["quality"] == "complete" and part in self._stacks:
            return EXACT
        lacks = span["quality"] == "none" or span["stack_end"] == UNLEARNED
        if lacks and any(stack[:len(part)] == part for stack in self._stacks):
            return LACKING
        # Inside of execve the stack of the old program goes away.
        if span["quality"] == "truncated" and span.get("wait") == "execve" and not part:
            return LACKING
        if span["quality"] == "guessed" and not part and CRTSTUFF & {*functions(span["frames"])}:
            return LACKING
        # While it is loaded: where the loader begins, it has no call frame information.
        if span["stack_end"] == "no_cfi" and functions(span["frames"])[-2:] == LOADER and not part:
            return LACKING
        return f"{span['quality']}, {span['stack_end']}: {functions(span['frames'])}"


@dataclass
class Verdicts:
    """How many single blocks there are of each stack and each verdict."""
    exact: Counter[Frames]
    lacking: int
    broken: Counter[str]  # walked wrongly, and marked as truncated
    wrong: Counter[str]

    def exact_in(self, leaf: str) -> int:
        """Returns how many are exact and in @leaf."""
        return sum(count for stack, count in self.exact.items() if stack[:1] == (leaf,))

    @property
    def total(self) -> int:
        return self.exact.total() + self.lacking + self.broken.total() + self.wrong.total()


def judge_blocks(report: Report, truth: Truth) -> Verdicts:
    verdicts = Verdicts(Counter(), 0, Counter(), Counter())
    for span in spans_of(report, "blocked"):
        verdict = truth.judge(span)
        if verdict == EXACT:
            verdicts.exact[truth.own_part(span["frames"])] += span["count"]
        elif verdict == LACKING:
            verdicts.lacking += span["count"]
        elif span["quality"] == "truncated":
            verdicts.broken[verdict] += span["count"]
        else:
            verdicts.wrong[verdict] += span["count"]
    return verdicts


def check_verdicts(name: str, verdicts: Verdicts, least_share: float,
                   broken_share: float = 0) -> None:
    note(f"{name}: {verdicts.exact.total()} of {verdicts.total} blocks exact, "
         f"{verdicts.lacking} lack")
    check(f"{name}: no stack is wrong", not verdicts.wrong, dict(verdicts.wrong.most_common(5)))
    check(f"{name}: none is broken, or next to none where that may be",
          verdicts.broken.total() <= broken_share * verdicts.total,
          dict(verdicts.broken.most_common(5)))
    check(f"{name}: enough of them are whole",
          0 < verdicts.total * least_share <= verdicts.exact.total(),
          f"{verdicts.exact.total()} of {verdicts.total}")


def check_verdict(name: str, stderr: str, least: int) -> None:
    """Checks what --verify found: of at least @least stacks none is wrong."""
    found = VERIFIED.search(stderr)
    check(f"{name}: stacks were verified", found and int(found[1]) >= least, stderr)
    check(f"{name}: none is wrong", found and found[2] == "0", stderr)


def judged(name: str, *args: object, verified: int, every: int = 10) -> Optional[Report]:
    """Records with @args, and checks that of at least @verified stacks, one of @every, none is
    wrong."""
    done = record(*args, "--verify", every, "-f", "json")
    if not check(f"{name}: recorded", done.returncode == 0, done.stderr):
        return None
    check_verdict(name, done.stderr, verified)
    return json.loads(done.stdout)


def share_complete(report: Report) -> tuple[int, int]:
    """Returns how many single blocks have a complete stack, and how many there are."""
    counts: Counter[bool] = Counter()
    for span in spans_of(report, "blocked"):
        counts[span["quality"] == "complete"] += span["count"]
    return counts[True], counts.total()


def by_thread(report: Report) -> dict[int, int]:
    """Returns the ns that each thread's spans add up to; they are of one thread each (-t)."""
    sums: Counter[int] = Counter()
    for span in spans_of(report):
        for tid in span["tids"]:
            sums[tid] += span["total_ns"] // len(span["tids"])
    return dict(sums)


def _variable(map_id: str, name: str) -> int:
    """Returns a variable of BPF programs, 0 when it is not in that map."""
    dump = subprocess.run([_bpftool(), "-j", "map", "dump", "id", map_id], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    found = re.search(rf'"{name}":\s*(\d+)', dump)
    return int(found[1]) if found else 0


@functools.cache
def _bpftool() -> str:
    return subprocess.run([lib.REPO / "deps.sh", "bpftool"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def window_start_ns(pid: int) -> int:
    """Reads when the window of the recording by @pid began from the variables of the programs in
    the kernel, 0 when it has not: nothing else of a recording can be seen from outside."""
    start_ns = 0
    with contextlib.suppress(OSError):
        for info in Path(f"/proc/{pid}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                fields = dict(re.findall(r"^(\w+):\s*(\S+)$", info.read_text(), re.M))
                if fields.get("map_flags") == "0x400" and fields["max_entries"] == "1":
                    start_ns = start_ns or _variable(fields["map_id"], "record_start_ns")
    return start_ns


class Recording:
    """A recording that runs until it is told to end. Its output goes to files, so that nobody
    waits for a reader."""
    start_ns = 0  # CLOCK_MONOTONIC when the window began

    def __init__(self, *args: object, form: str, command: str) -> None:
        self._out = tempfile.TemporaryFile("w+")
        self._err = tempfile.TemporaryFile("w+")
        self.proc = subprocess.Popen([str(LOITER), command, *map(str, args), "-f", form],
                                     stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err)

    def wait_begun(self) -> None:
        """Returns when the window has begun."""
        lib.wait_for("the recording to begin", lambda: self.proc.poll() is not None or
                     self._read_start())

    def _read_start(self) -> int:
        self.start_ns = window_start_ns(self.proc.pid)
        return self.start_ns

    def end(self) -> tuple[int, str, str]:
        """Waits for it to end by itself. Returns its status, output and notes."""
        status = self.proc.wait(lib.DEADLINE_S)
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read())
        return status, texts[0], texts[1]

    def stop(self) -> tuple[int, str, str]:
        """Ends it as Ctrl-C does."""
        self.proc.send_signal(signal.SIGINT)
        return self.end()

    def close(self) -> None:
        lib.stop_process(self.proc)
        self._out.close()
        self._err.close()


@contextlib.contextmanager
def recording(*args: object, form: str = "json", command: str = "record"
              ) -> Iterator[Recording]:
    """Records in the background from here on; or counts threads, with the command leaks."""
    running = Recording(*args, form=form, command=command)
    try:
        running.wait_begun()
        yield running
    finally:
        running.close()
