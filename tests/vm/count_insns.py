#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""How many instructions the verifier goes through for each program that loiter loads on this
kernel: the most in any of the ways to use it. Prints a line `insns NAME COUNT` for each."""
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "e2e"))

import lib  # pylint: disable=wrong-import-position
from lib import attempt, check, need_loiter

COUNTER = REPO / "build" / "vm" / "insns.so"
# Each loads other programs, or the same ones with other constants.
WAYS = (["dump", "-p", "{pid}", "-k"], ["dump", "-a"], ["check"],
        ["record", "-p", "{pid}", "-d", "300ms"],
        ["record", "-p", "{pid}", "-d", "300ms", "--by", "waker", "-k"],
        ["record", "-p", "{pid}", "-d", "300ms", "--by", "wall", "-k"],
        ["record", "-p", "{pid}", "-d", "300ms", "--by", "futex", "-k"],
        ["record", "--cgroup", "/", "-d", "300ms", "--by", "wall", "-k"],
        ["record", "-d", "300ms", "--", "/bin/true"], ["leaks", "-p", "{pid}", "-d", "300ms"])


@dataclass
class Loads:
    """What was loaded in all: the most instructions of each program, and those that were loaded at
    another try only."""
    most: dict[str, int] = field(default_factory=dict)
    retried: dict[str, str] = field(default_factory=dict)

    def read(self, file: Path) -> dict[str, str]:
        """Adds what one loiter loaded. Returns what was not in the end, with the reasons."""
        refused: dict[str, str] = {}
        for line in file.read_text().splitlines():
            name, value = line.split("\t")
            if not value.isdecimal():
                refused[name] = value
                continue
            self.most[name] = max(self.most.get(name, 0), int(value))
            if name in refused:
                self.retried[name] = refused.pop(name)
        return refused


def test_way(pid: int, way: list[str], file: Path, loads: Loads) -> None:
    name = " ".join(way).format(pid="PID")
    argv = [str(lib.LOITER), *(word.format(pid=pid) for word in way)]
    env = {**os.environ, "LD_PRELOAD": str(COUNTER), "LOITER_INSNS": str(file)}
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=lib.DEADLINE_S, check=False)
    check(f"{name}: does well", done.returncode == 0,
          f"exit status {done.returncode}: {done.stderr.strip()}")
    if check(f"{name}: loads programs", file.exists()):
        refused = loads.read(file)
        check(f"{name}: all that it tries to load is counted", not refused,
              "\n".join(f"{program}: {why}" for program, why in sorted(refused.items())))


def test_count() -> None:
    loads = Loads()
    with lib.workload("herd", 2) as target, lib.scratch_dir() as path:
        for i, way in enumerate(WAYS):
            attempt(" ".join(way), test_way, target.pid, way, path / f"insns{i}", loads)
    for name, value in sorted(loads.most.items()):
        print(f"insns {name} {value}")
    for name, why in sorted(loads.retried.items()):
        lib.note(f"{name}: {why}, then loaded")


def main() -> None:
    need_loiter()
    attempt("insns", test_count)
    lib.finish()


if __name__ == "__main__":
    main()
