# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""The truth that the mix workloads print of themselves, and how to hold a dump against it."""
import os
from dataclasses import dataclass
from typing import Any

from lib import Target, Thread, frames_of

# Frames of these files are noted by the workload; those of others (libc) are not.
SOURCES = {"mix_waits.c", "mix_walks.c", "mixcpp.cc", "cell.c"}


@dataclass
class Truth:
    tid: int
    name: str
    kind: str  # of the wait; "-": several names would be right
    function: str
    line: int
    stack: list[tuple[str, int]]  # function and line, leaf first


def parse_truth(target: Target) -> list[Truth]:
    truths = []
    for text in target.lines:
        if not text.startswith("truth\t"):
            continue
        _, tid, name, kind, function, line, stack = text.split("\t")
        frames = [(func, int(num)) for func, num in
                  (word.rsplit(":", 1) for word in stack.split())]
        truths.append(Truth(int(tid), name, kind, function, int(line), frames))
    return truths


def _own(frames: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(frame.get("function") or "", int(frame.get("line") or 0)) for frame in frames
            if os.path.basename(frame.get("file") or "") in SOURCES]


def own_frames(thread: Thread) -> list[tuple[str, int]]:
    """Returns function and line of the frames that are of the workload's own sources."""
    return _own(frames_of(thread))


def same_stack(truth: Truth, thread: Thread) -> bool:
    return own_frames(thread) == truth.stack


def _base_name(demangled: str) -> str:
    """Returns `visit` of `patient::table<int>::visit(int const&)`, as __func__ has it."""
    name = demangled.replace("operator()", "operator\x00")
    depth = 0
    kept = []
    for char in name:
        if char == "<":
            depth += 1
        elif char == ">":
            depth -= 1
        elif depth == 0:
            kept.append(char)
    name = "".join(kept)
    if "operator\x00" in name:
        return "operator()"
    return name.split("(")[0].split("::")[-1].strip()


def contains_stack(truth: Truth, thread: Thread) -> bool:
    """Whether the true frames are there in order; C++ has others between them, and inlines."""
    have = iter([(_base_name(func), line) for func, line in _own(thread.get("frames") or [])])
    return all(wanted in have for wanted in truth.stack)


def describe(truth: Truth, thread: Thread) -> dict[str, Any]:
    return {"name": truth.name, "truth": truth.stack[:4], "have": own_frames(thread)[:4],
            "quality": thread.get("quality"), "wait": thread.get("wait")}
