#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Whatever a target does or is made of: a report that says what is missing, or one clear message;
never a hang, a crash, a leak or a stack that is wrong and called complete. Run by the loiter that
is installed, by the one with sanitizers when there is one (LOITER_ASAN), and under valgrind."""
import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Iterator

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
from lib import Target, attempt_lines, check, note, skip

ASAN = Path(os.environ.get("LOITER_ASAN") or
            lib.REPO / "build" / "san-address-undefined" / "loiter")
# By default valgrind forgets registers that an instruction has when it faults, and cannot go on there.
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--track-fds=yes",
            "--vex-iropt-register-updates=allregs-at-mem-access",
            f"--suppressions={Path(__file__).parent / 'valgrind.supp'}"]
SEED = 20261123
LOOKS, LOOKS_MAX = lib.sized(40, 3), 80
CROWD_LOOKS = lib.sized(5, 2)
QUALITIES = {"complete", "truncated", "guessed", "raced", "none"}
# Where the stack of a thread may begin; what is complete ends in one of these.
ROOTS = {"_start", "_dl_start", "__clone3", "clone3", "__clone", "clone", "__GI___clone3"}

Command = list[str]


def commands() -> Iterator[tuple[str, Command]]:
    """Yields the loiters to try, each with its name."""
    yield "loiter", [str(lib.LOITER)]
    if ASAN.exists():
        yield "asan", [str(ASAN)]
    else:
        skip("asan", f"no {ASAN}: make SAN=address,undefined")


def run(command: Command, *args: object) -> subprocess.CompletedProcess:
    return subprocess.run([*command, *map(str, args)], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.PIPE, timeout=lib.DEADLINE_S, check=False)


def roots(threads: list[lib.Thread]) -> set[Any]:
    """Returns the outermost functions of the stacks that are called complete."""
    return {lib.frames_of(thread)[-1]["function"] for thread in threads
            if thread["quality"] == "complete" and thread["frames"]}


def fault(done: subprocess.CompletedProcess) -> str:
    """Returns what is wrong with a run that may succeed or find its target gone."""
    lines = done.stderr.splitlines()
    if done.returncode == 1:
        good = len(lines) == 1 and lines[0].startswith("loiter: ") and not done.stdout
        return "" if good else f"status 1: {done.stderr[:500]!r}"
    if done.returncode:
        return f"status {done.returncode}: {done.stderr[:1500]}"
    if done.stderr:
        return f"stderr: {done.stderr[:500]!r}"
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        return f"no JSON: {error}"
    threads = [thread for process in report["processes"] for thread in process["threads"]]
    if not threads:
        return "a report of no thread"
    strange = {thread["quality"] for thread in threads} - QUALITIES
    return f"quality {strange}" if strange else ""


def threads_in(done: subprocess.CompletedProcess) -> list[lib.Thread]:
    if done.returncode:
        return []
    return [thread for process in json.loads(done.stdout)["processes"]
            for thread in process["threads"]]


def check_faults(name: str, faults: list[str]) -> None:
    wrong = [what for what in faults if what]
    check(f"{name}: {len(faults)} runs, a report or one clear message each", faults and not wrong,
          f"{len(wrong)} were bad\n" + "\n".join(sorted(set(wrong))[:3]))


# --- targets that change while they are looked at ------------------------------------------------

def test_moving(name: str, command: Command, kind: str, *args: object) -> None:
    with lib.workload(kind, *args) as target:
        runs, reports = [], []
        # One that execs all the time is seldom met in between: some more looks, where few will do.
        while len(runs) < LOOKS or (len(runs) < LOOKS_MAX and not any(map(roots, reports))):
            runs.append(run(command, "dump", "-p", target.pid, "-f", "json"))
            reports.append(threads_in(runs[-1]))
    check_faults(f"{name}, {kind}", [fault(done) for done in runs])
    check(f"{name}, {kind}: it was seen", sum(map(bool, reports)) > len(reports) / 2,
          [done.stderr for done in runs][:5])
    found = set().union(*map(roots, reports))
    check(f"{name}, {kind}: what is called complete begins at a thread's beginning",
          found and found <= ROOTS, found - ROOTS)


def test_exiting(name: str, command: Command) -> None:
    """The target exits before, while and after it is looked at."""
    rand = random.Random(SEED)
    runs = []
    for i in range(lib.sized(40, 4)):
        with lib.workload("exiting", 200) as target:
            proc = subprocess.Popen([*command, "dump", "-p", str(target.pid), "-f", "json"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(rand.uniform(0, 0.06))
            assert target.proc.stdin is not None
            target.proc.stdin.close()
            if i % 2:  # reaped at once, else left as a zombie for the while
                target.proc.wait()
            output, errors = proc.communicate(timeout=lib.DEADLINE_S)
            runs.append(subprocess.CompletedProcess([], proc.returncode, output, errors))
    check_faults(f"{name}, exiting", [fault(done) for done in runs])
    seen = sum(not done.returncode for done in runs)
    note(f"{name}, exiting: seen {seen} times of {len(runs)}")


def test_crowd(name: str, command: Command) -> None:
    """More processes than any table begins with, some of which come and go."""
    with contextlib.ExitStack() as stack:
        pids = {stack.enter_context(lib.workload("exiting", 4)).pid for _ in range(40)}
        stack.enter_context(lib.workload("execloop"))
        stack.enter_context(lib.workload("churn", 500))
        runs = [run(command, "dump", "-a", "-f", "json") for _ in range(CROWD_LOOKS)]
    check_faults(f"{name}, crowd", [fault(done) for done in runs])
    stacks = [(process["pid"], thread["quality"]) for done in runs if not done.returncode
              for process in json.loads(done.stdout)["processes"] if process["pid"] in pids
              for thread in process["threads"]]
    check(f"{name}, crowd: every thread of it, complete", len(stacks) == CROWD_LOOKS * 5 * len(pids)
          and {quality for _, quality in stacks} == {"complete"},
          (len(stacks), {quality for _, quality in stacks}))


def test_garbage(name: str, command: Command) -> None:
    if not (lib.WORKLOADS / "garbage").exists():
        skip(f"{name}, garbage", "not built for this machine")
        return
    with lib.workload("garbage") as target:
        runs = {form: run(command, "dump", "-p", target.pid, "-f", form)
                for form in ("text", "threads", "go", "folded", "json")}
        check(f"{name}, garbage: every format", not any(
            done.returncode or not done.stdout for done in runs.values()),
              [(form, done.returncode, done.stderr[:1000]) for form, done in runs.items()])
        # What stands above one address is garbage as well as any other; "code" is all addresses.
        wrong = [thread["comm"] for thread in threads_in(runs["json"])
                 if thread["tid"] != target.pid and thread["comm"] != "code" and
                 thread["quality"] == "complete"]
        check(f"{name}, garbage: called truncated or guessed", not wrong, wrong)
        check(f"{name}, garbage: and the loss is said", "lost:" in runs["text"].stdout,
              runs["text"].stdout[-500:])


# --- ELF files that are not what they were -------------------------------------------------------

@contextlib.contextmanager
def interpreted(source: Path, path: Path, *args: object) -> Iterator[Target]:
    """Runs a copy of @source at @path by ld.so, as libraries are mapped: it can be written to.
    Killed in its sleep, since its code may be gone."""
    shutil.copyfile(source, path)
    loader = next(line.split()[0] for line in subprocess.run(
        ["ldd", str(source)], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
        if "ld-linux" in line or "ld64" in line)
    with lib.running(path.name, [loader, str(path), *map(str, args)]) as target:
        target.read_until("ready")
        lib.wait_settled(target.pid)
        try:
            yield target
        finally:
            target.proc.kill()
            target.proc.wait()


def file_size(path: Path) -> int:
    return path.stat().st_size


def loaded_end(path: Path) -> int:
    """Returns where the part of the ELF file at @path ends that is mapped."""
    output = subprocess.run(["readelf", "-lW", str(path)], stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    loads = [line.split() for line in output.splitlines() if line.strip().startswith("LOAD")]
    return max(int(words[1], 16) + int(words[4], 16) for words in loads)


def test_truncated(name: str, command: Command) -> None:
    """Cut at: the end of what is mapped, which leaves the stacks; and where it hurts."""
    source = lib.WORKLOADS / "ages"
    with lib.scratch_dir() as path:
        file = path / "cut"
        with interpreted(source, file, 8) as target:
            os.truncate(file, loaded_end(file))
            done = run(command, "dump", "-p", target.pid, "-f", "json")
            check_faults(f"{name}, sections cut off", [fault(done)])
            threads = threads_in(done)
            check(f"{name}, sections cut off: stacks complete all the same", len(threads) == 9 and
                  all(thread["quality"] == "complete" for thread in threads),
                  [(thread["quality"], thread["stack_end"]) for thread in threads])
        faults = []
        for end in (0, 1, 40, 64, 100, 700, 4096, 5000, 8192, file_size(source) // 2):
            with interpreted(source, file, 8) as target:
                os.truncate(file, end)
                done = run(command, "dump", "-p", target.pid, "-f", "json")
                faults.append(fault(done))
                if len(threads_in(done)) != 9:
                    faults.append(f"cut at {end}: {len(threads_in(done))} threads")
        check_faults(f"{name}, cut anywhere", faults)


def test_truncated_meanwhile(name: str, command: Command) -> None:
    rand = random.Random(SEED)
    faults = []
    with lib.scratch_dir() as path:
        for i in range(25):
            file = path / f"shrinking-{i}"
            with interpreted(lib.WORKLOADS / "mix", file) as target:
                proc = subprocess.Popen([*command, "dump", "-p", str(target.pid), "-f", "json"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                time.sleep(rand.uniform(0, 0.08))
                os.truncate(file, rand.randrange(file_size(file)))
                output, errors = proc.communicate(timeout=lib.DEADLINE_S)
                faults.append(fault(subprocess.CompletedProcess([], proc.returncode, output,
                                                                errors)))
            file.unlink()
    check_faults(f"{name}, cut while it is read", faults)


def scribble(rand: random.Random, file: Path) -> None:
    """Overwrites some bytes of @file, in a few places or all over it."""
    data = bytearray(file.read_bytes())
    for _ in range(rand.choice((1, 10, 300, 5000))):
        data[rand.randrange(len(data))] = rand.randrange(256)
    if rand.random() < 0.3:
        at = rand.randrange(len(data))
        data[at:at + 4096] = rand.randbytes(len(data[at:at + 4096]))
    with open(file, "r+b") as stream:
        stream.write(data)


def test_scribbled(name: str, command: Command) -> None:
    """Headers, symbols, DWARF and CFI that are wrong at random."""
    rand = random.Random(SEED)
    faults = []
    with lib.scratch_dir() as path:
        for i in range(60):
            file = path / f"scribbled-{i}"
            with interpreted(lib.WORKLOADS / "ages", file, 8) as target:
                scribble(rand, file)
                faults.append(fault(run(command, "dump", "-p", target.pid, "-f", "json")))
            file.unlink()
    check_faults(f"{name}, ELF files scribbled on", faults)


@contextlib.contextmanager
def flickering(rand: random.Random, file: Path) -> Iterator[None]:
    """Gives sections of the ELF file @file wrong offsets and sizes, and the right ones back, over and
    over."""
    data = file.read_bytes()
    headers = int.from_bytes(data[40:48], "little")
    places = [at + word for at in range(headers, len(data) - 63, 64) for word in (24, 32)]
    over = threading.Event()

    def flicker() -> None:
        with open(file, "r+b") as stream:
            while not over.is_set():
                at = rand.choice(places)
                wrong = rand.choice((0, 1, 0x7fffffff, 1 << 40, (1 << 64) - 1))
                os.pwrite(stream.fileno(), wrong.to_bytes(8, "little"), at)
                os.pwrite(stream.fileno(), data[at:at + 8], at)

    thread = threading.Thread(target=flicker)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_scribbled_meanwhile(name: str, command: Command) -> None:
    """Headers that are one thing when they are checked and another when they are used."""
    rand = random.Random(SEED)
    with lib.scratch_dir() as path:
        file = path / "flickering"
        with interpreted(lib.WORKLOADS / "mix", file) as target, flickering(rand, file):
            dumps = [run(command, "dump", "-p", target.pid, "-f", "json")
                     for _ in range(15)]
            records = [run(command, "record", "-p", target.pid, "-d", "50ms", "-f", "json")
                       for _ in range(5)]
    check_faults(f"{name}, scribbled on while it is read", [fault(done) for done in dumps])
    wrong = [done.stderr[:1500] for done in records if done.returncode or done.stderr]
    check(f"{name}, scribbled on while it is recorded", not wrong, wrong[:3])


def test_replaced(name: str, command: Command) -> None:
    """The path leads to another file, cut in the middle or unreadable, by rename."""
    for what, size, mode in (("half a file", 9000, 0o755), ("an empty file", 0, 0o755),
                             ("an unreadable file", None, 0)):
        with lib.scratch_dir() as path:
            file, other = path / "program", path / "other"
            shutil.copy(lib.WORKLOADS / "ages", file)
            other.write_bytes((lib.WORKLOADS / "herd").read_bytes()[:size])
            other.chmod(mode)
            with lib.running("replaced", [str(file), "8"]) as target:
                target.read_until("ready")
                os.rename(other, file)
                done = run(command, "dump", "-p", target.pid, "-f", "json")
                check_faults(f"{name}, replaced by {what}", [fault(done)])
                named = [thread for thread in threads_in(done) if any(
                    frame["function"] == "block" and frame["file"] for frame in thread["frames"])]
                check(f"{name}, replaced by {what}: names and lines of the file that is mapped",
                      len(named) == 8, done.stdout[:1000])


def test_unreadable() -> None:
    """A binary that even we may not read: the stacks, and what is missing."""
    caps = "+bpf,+perfmon,+sys_ptrace"
    if lib.kernel_version() < (5, 11):
        caps += ",+sys_resource"  # maps count as locked memory
    with lib.scratch_dir() as path:
        path.chmod(0o755)
        program, file = path / "loiter", path / "closed"
        shutil.copy(lib.LOITER, program)
        program.chmod(0o755)
        shutil.copy(lib.WORKLOADS / "ages", file)
        with lib.running("closed", [str(file), "8"]) as target:
            target.read_until("ready")
            file.chmod(0)
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                       f"--inh-caps={caps}", f"--ambient-caps={caps}", str(program)]
            done = run(command, "dump", "-p", target.pid, "-f", "json")
            check_faults("unreadable binary", [fault(done)])
            threads = threads_in(done)
            check("unreadable binary: all threads, complete from memory", len(threads) == 9 and
                  all(thread["quality"] == "complete" for thread in threads),
                  [thread["quality"] for thread in threads])


# A listener, a netlink socket, and sockets whose names hold lines of /proc/net/unix for these.
FORGER = r"""
import os, socket, sys, threading
path = sys.argv[1]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
forgers = []
for victim in (listener, netlink):
    for i in range(4): # before and behind the listener
        inode = os.fstat(victim.fileno()).st_ino
        line = f"0000000000000000: 00000002 00000000 00010000 0001 01 {inode} /run/forged"
        forgers.append(socket.socket(socket.AF_UNIX))
        forgers[-1].bind(f"\0{i}\n{line}")
forgers[0].listen()
for wait in (listener.accept, lambda: netlink.recv(1), forgers[0].accept):
    threading.Thread(target=wait, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def objects_of(command: Command, path: Path, *wrapper: str) -> list[str]:
    argv = [*wrapper, sys.executable, "-c", FORGER, str(path)]
    with lib.running("forger", argv) as target:
        target.read_until("ready")
        lib.wait_settled(target.pid)
        return [str(thread["object"])
                for thread in threads_in(run(command, "dump", "-p", target.pid, "-f", "json"))]


def test_forged_sockets(name: str, command: Command) -> None:
    with lib.scratch_dir() as path:
        found = objects_of(command, path / "a")
        if lib.IN_VM:
            lib.skip(f"{name}, forged sockets: names", "the VMs have no module unix_diag")
        else:
            check(f"{name}, forged sockets: the listener has its name",
                  any(f"(unix {path}/a listening)" in object for object in found), found)
            check(f"{name}, forged sockets: a name with a newline is whole",
                  any("unix @0\\x0a0000" in object and object.endswith("/run/forged listening)")
                      for object in found), found)
        check(f"{name}, forged sockets: netlink stays what it is",
              any("(NETLINK socket)" in object for object in found), found)
        found = objects_of(command, path / "b", "unshare", "--net")
        check(f"{name}, forged sockets of another namespace: no name rather than a false one",
              any(object.endswith("(unix)") for object in found) and
              any("(NETLINK socket)" in object for object in found) and
              not any("/run/forged" in object for object in found), found)


# --- leaks ---------------------------------------------------------------------------------------

OPEN_FD = re.compile(r"Open (?:file descriptor|\S+ socket) (\d+):.*\n(?:==\d+==\s+(.*)\n)?")


def check_valgrind(name: str, *args: object) -> None:
    done = run([*VALGRIND, str(lib.LOITER)], *args)
    own = [fd for fd, where in OPEN_FD.findall(done.stderr)
           if int(fd) > 2 and "inherited" not in where]
    check(f"valgrind, {name}: no error, no leak, no open file",
          done.returncode in (0, 1, 2) and not own, f"open: {own}\n{done.stderr[-1800:]}")


def test_valgrind() -> None:
    if not shutil.which("valgrind"):
        skip("valgrind", "not installed")
        return
    with lib.scratch_dir() as path:
        with lib.workload("mix") as target:
            for form in ("text", "json"):
                check_valgrind(f"mix, {form}", "dump", "-p", target.pid, "-f", form, "-k",
                               "-o", path / "out", "--save", path / "saved")
        with lib.workload("spin", 2) as target:
            check_valgrind("spin", "dump", "-p", target.pid)
        with lib.workload("garbage") as target:
            check_valgrind("garbage", "dump", "-p", target.pid)
        with interpreted(lib.WORKLOADS / "ages", path / "cut", 8) as target:
            os.truncate(path / "cut", 5000)
            check_valgrind("truncated ELF", "dump", "-p", target.pid)
        with lib.workload("execloop") as target:
            check_valgrind("execloop", "dump", "-p", target.pid)
        with lib.workload("churn", 1000) as target:
            check_valgrind("churn", "dump", "-p", target.pid)
        check_valgrind("replay", "replay", path / "saved", "-v")
        saved = (path / "saved").read_bytes()
        (path / "half").write_bytes(saved[:len(saved) // 2])
        check_valgrind("replay of half a file", "replay", path / "half")
        check_valgrind("no such pid", "dump", "-p", 4194303)
        check_valgrind("usage", "dump", "-p", "abc")
        check_valgrind("check", "check")


def main() -> None:
    lib.need_loiter()
    lines: list[list[tuple[Any, ...]]] = [[("unreadable", test_unreadable),
                                           ("valgrind", test_valgrind)]]
    for name, command in commands():
        line = [(f"{name}, {kind}", test_moving, name, command, kind, *args)
                for kind, *args in (("churn", 1000), ("execloop",))]
        line += [(f"{name}, {test.__name__}", test, name, command)
                 for test in (test_exiting, test_crowd, test_garbage, test_replaced,
                              test_forged_sockets)]
        if not lib.skip_in_vm(f"{name}, damaged files", "files are read alike on every kernel"):
            line += [(f"{name}, {test.__name__}", test, name, command)
                     for test in (test_truncated, test_truncated_meanwhile, test_scribbled,
                                  test_scribbled_meanwhile)]
        lines.append(line)
    attempt_lines(*lines)
    lib.finish()


if __name__ == "__main__":
    main()
