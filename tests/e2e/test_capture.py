#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""A capture gives every report again, byte for byte, without root and without the target; a file
that is none gives a clear error."""
import contextlib
import itertools
import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
from lib import attempt, check, note, skip

Replay = tuple[str, subprocess.CompletedProcess]  # of what, and how it went

NOBODY = 65534
FORMATS = ("text", "threads", "go", "folded", "json")
OPTIONS = lib.sized(([], ["-v"], ["--no-idle"], ["--min-block", "1h"], ["--color", "always"]),
                    ([],))
SEED = 20261123
ASAN = Path(os.environ.get("LOITER_ASAN") or
            lib.REPO / "build" / "san-address-undefined" / "loiter")


KINDS = lib.sized((("mix", 100), ("herd", 300), ("garbage",), ("spin", 3)), (("mix", 30),))


def run(*args: object, **kwargs: Any) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, args)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=lib.DEADLINE_S, check=False, **kwargs)


def first_difference(one: bytes, other: bytes) -> str:
    for number, (a, b) in enumerate(zip(one.splitlines(), other.splitlines()), 1):
        if a != b:
            return f"line {number}:\n{a[:300]!r}\n{b[:300]!r}"
    return f"{len(one)} and {len(other)} bytes"


def as_nobody(path: Path, *args: object) -> subprocess.CompletedProcess:
    """Runs the copy of loiter in @path as a user without any right."""
    return run("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
               "--bounding-set=-all", "--no-new-privs", path / "loiter", *args, cwd="/")


def replay_fault(path: Path, live: subprocess.CompletedProcess, saved: Path,
                 options: list[str]) -> str:
    """Returns how the replay of @saved differs from what was printed when it was taken."""
    done = as_nobody(path, "replay", saved, *options)
    if (live.returncode, done.returncode, done.stderr) != (0, 0, live.stderr):
        return f"live: {live.returncode} {live.stderr!r}, replay: {done.returncode} {done.stderr!r}"
    return "" if done.stdout == live.stdout else first_difference(live.stdout, done.stdout)


def take(path: Path, pid: int, options: list[str]) -> tuple[subprocess.CompletedProcess, Path]:
    """Dumps @pid and keeps the capture as a file that everybody may read."""
    saved = path / f"saved{''.join(options)}".replace("/", "")
    live = run(lib.LOITER, "dump", "-p", pid, *options, "--save", saved)
    saved.chmod(0o644)
    return live, saved


def test_replay(kind: str, *args: object) -> None:
    """Of a target whose binary is gone, after it has gone itself."""
    taken = {}
    variants = [["-f", form, *extra, *kernel] for form in FORMATS for extra in OPTIONS
                for kernel in ([], ["-k"])]
    with lib.scratch_dir() as path:
        path.chmod(0o755)
        shutil.copy(lib.LOITER, path)
        program = path / kind
        shutil.copy(lib.WORKLOADS / kind, program)
        with lib.running(kind, [str(program), *map(str, args)]) as target:
            target.read_until("ready")
            for options in variants:
                taken[tuple(options)] = take(path, target.pid, options)
        program.unlink()
        wrong = [f"{' '.join(options)}: {why}" for options, (live, saved) in taken.items()
                 if (why := replay_fault(path, live, saved, list(options)))]
        check(f"{kind}: {len(taken)} reports replayed to the byte, without any right", not wrong,
              f"{len(wrong)} differ\n" + "\n".join(wrong[:4]))
        live, saved = taken["-f", "text"]
        check(f"{kind}: there was something to say", all(
            live.stdout for options, (live, _) in taken.items() if len(options) == 2))
        check(f"{kind}: one capture, every format", all(
            as_nobody(path, "replay", saved, "-f", form).stdout for form in FORMATS))
        done = as_nobody(path, "replay", saved, "-o", path / "out")
        check(f"{kind}: nobody may not write where nobody may not", done.returncode == 1 and
              b"Permission denied" in done.stderr and not (path / "out").exists(), done)


def test_several() -> None:
    with lib.scratch_dir() as path, contextlib.ExitStack() as stack:
        path.chmod(0o755)
        shutil.copy(lib.LOITER, path)
        targets = [stack.enter_context(lib.workload(name, count))
                   for name, count in (("herd", 50), ("mix", 100), ("spin", 2))]
        args = [word for target in targets for word in ("-p", target.pid)]
        for form in FORMATS:
            saved = path / f"saved-{form}"
            live = run(lib.LOITER, "dump", *args, "-f", form, "--save", saved)
            saved.chmod(0o644)
            why = replay_fault(path, live, saved, ["-f", form])
            check(f"three processes, {form}: replayed to the byte", not why, why)


def fault(done: subprocess.CompletedProcess, whole: bytes) -> str:
    """Returns what is wrong with the replay of a damaged capture: it may be refused in one line, or
    read when the damage does not matter."""
    lines = done.stderr.decode(errors="replace").splitlines()
    if done.returncode == 1:
        good = len(lines) == 1 and lines[0].startswith("loiter: ") and not done.stdout
        return "" if good else f"status 1: {done.stderr[:500]!r}, stdout {done.stdout[:100]!r}"
    if done.returncode or lines:
        return f"status {done.returncode}: {done.stderr[:1500]!r}"
    return "" if done.stdout == whole else "another report than that of the whole file"


def check_refused(name: str, path: Path, *words: str) -> None:
    done = lib.run_loiter("replay", path)
    lines = done.stderr.splitlines()
    missing = [word for word in words if word not in done.stderr]
    check(f"{name}: refused in one line", done.returncode == 1 and not done.stdout and
          len(lines) == 1 and lines[0].startswith("loiter: ") and str(path) in lines[0] and
          not missing, f"status {done.returncode}, missing {missing}: {done.stderr[:500]}")


def test_foreign() -> None:
    with lib.scratch_dir() as path:
        file = path / "file"
        for name, data in (("an empty file", b""), ("text", b"hello\n" * 100),
                           ("a program", lib.LOITER.read_bytes()), ("zeros", bytes(100000)),
                           ("one byte", b"L"), ("noise", random.Random(SEED).randbytes(50000))):
            file.write_bytes(data)
            check_refused(name, file)
        check_refused("no such file", path / "missing", "No such file")
        check_refused("a directory", path)
        check_refused("a device without end", Path("/dev/zero"))
        check_refused("a device without content", Path("/dev/null"))


def damages(data: bytes, rand: random.Random) -> list[tuple[str, bytes]]:
    """Returns @data cut at many places, and with single bits turned."""
    ends = sorted({0, 1, 7, 8, 9, len(data) - 1, *(rand.randrange(len(data)) for _ in range(60))})
    ret = [(f"cut at {end}", data[:end]) for end in ends]
    for _ in range(200):
        at, bit = rand.randrange(len(data)), rand.randrange(8)
        ret.append((f"bit {bit} of byte {at}",
                    data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1:]))
    ret.append(("twice", data + data))
    ret.append(("with a tail", data + b"tail"))
    return ret


def test_damaged() -> None:
    if lib.skip_in_vm("damaged", "270 replays, which are the same on every kernel"):
        return
    rand = random.Random(SEED)
    program = ASAN if ASAN.exists() else lib.LOITER
    if program != ASAN:
        skip("damaged, by asan", f"no {ASAN}: make SAN=address,undefined")
    with lib.scratch_dir() as path, lib.workload("mix", 100) as target:
        saved = path / "saved"
        live = run(lib.LOITER, "dump", "-p", target.pid, "-f", "json", "--save", saved)
        data = saved.read_bytes()
        note(f"a capture of 100 threads: {len(data)} bytes")

        def replay(number: int, what: str, damaged: bytes) -> Replay:
            file = path / f"damaged-{number}"
            file.write_bytes(damaged)
            return what, run(program, "replay", file, "-f", "json")
        with ThreadPoolExecutor() as pool:
            replays = list(pool.map(replay, itertools.count(), *zip(*damages(data, rand))))
        wrong = []
        for what, done in replays:
            why = fault(done, live.stdout)
            if why:
                wrong.append(f"{what}: {why}")
            elif what.startswith("cut") and done.returncode != 1:
                wrong.append(f"{what}: a file that is not whole was read")
        note(f"{sum(done.returncode == 1 for _, done in replays)} damaged files were refused")
        check("damaged captures: refused in one line, or no harm done", not wrong,
              f"{len(wrong)} wrong\n" + "\n".join(wrong[:5]))


def main() -> None:
    lib.need_loiter()
    for kind, *args in KINDS:
        attempt(f"replay {kind}", test_replay, kind, *args)
    for test in (test_several, test_foreign, test_damaged):
        attempt(test.__name__, test)
    lib.finish()


if __name__ == "__main__":
    main()
