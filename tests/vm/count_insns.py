#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""How many instructions the verifier goes through for each program that loiter loads on this
kernel: the most in any of the ways to use it. Prints a line `insns NAME COUNT` for each."""
import os
import subprocess
import sys
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


def count(pid: int, way: list[str], file: Path) -> None:
    argv = [str(lib.LOITER), *(word.format(pid=pid) for word in way)]
    env = {**os.environ, "LD_PRELOAD": str(COUNTER), "LOITER_INSNS": str(file)}
    done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, timeout=lib.DEADLINE_S, check=False)
    if done.returncode:
        lib.note(f"{' '.join(way)}: {done.stderr.strip()}")


def test_count() -> None:
    most: dict[str, int] = {}
    refused: dict[str, str] = {}
    with lib.workload("herd", 2) as target, lib.scratch_dir() as path:
        for way in WAYS:
            count(target.pid, way, path / "insns")
        for line in (path / "insns").read_text().splitlines():
            name, value = line.split("\t")
            if value.isdecimal():
                most[name] = max(most.get(name, 0), int(value))
            else:
                refused[name] = value
    for name, value in sorted(most.items()):
        print(f"insns {name} {value}")
    for name, why in sorted(refused.items()):
        lib.note(f"{name}: {why}" + (", then loaded" if name in most else ""))
    check("programs were counted", most)


def main() -> None:
    need_loiter()
    attempt("insns", test_count)
    lib.finish()


if __name__ == "__main__":
    main()
