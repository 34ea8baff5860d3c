#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Targets of every make: deleted and replaced binaries, containers, code of a JIT; and how they
are chosen. Names and lines have to be right, so each is held against the truth it prints."""
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lib  # pylint: disable=wrong-import-position
import truth as truth_lib
from container import contained
from lib import Target, Thread, attempt, check, skip

CELLS = 60
Threads = dict[int, Thread]


def dump_json(*args: object) -> dict[int, Threads]:
    """Returns {pid: {tid: thread}} of a dump with @args."""
    done = lib.run_loiter("dump", *args, "-f", "json")
    if done.returncode:
        raise RuntimeError(f"loiter dump: status {done.returncode}: {done.stderr.strip()}")
    return {process["pid"]: {thread["tid"]: thread for thread in process["threads"]}
            for process in json.loads(done.stdout)["processes"]}


def functions(thread: Thread) -> list[str]:
    return [frame["function"] for frame in lib.frames_of(thread)]


def check_truth(name: str, target: Target, threads: Threads, by_tid: bool = True) -> None:
    """Every cell's own frames, with function and line, are as it noted them; it is known by its
    name where the ids that it knows are of another PID namespace."""
    named = {thread["comm"]: thread for thread in threads.values()}
    wrong = []
    truths = truth_lib.parse_truth(target)
    for cell in truths:
        thread = (threads.get(cell.tid) if by_tid else named.get(cell.name)) or {}
        if not truth_lib.same_stack(cell, thread) or thread["quality"] != "complete":
            wrong.append(truth_lib.describe(cell, thread))
    check(f"{name}: {len(truths)} threads with true functions and lines",
          len(truths) >= CELLS - 2 and not wrong,
          f"{len(wrong)} wrong\n" + "\n".join(map(str, wrong[:4])))


# --- binaries that are gone ----------------------------------------------------------------------

def test_deleted(kind: str) -> None:
    """By unlink, and with another program in its place."""
    for how in ("deleted", "replaced"):
        with lib.scratch_dir() as path:
            program = path / "program"
            shutil.copy(lib.WORKLOADS / kind, program)
            with lib.running(kind, [str(program), str(CELLS)]) as target:
                target.read_until("ready")
                before = lib.dump(target.pid)[target.pid]
                program.unlink()
                if how == "replaced":
                    shutil.copy(sys.executable, program)
                threads = lib.dump(target.pid)[target.pid]
                if kind != "mix-stripped":
                    check_truth(f"{kind}, {how}", target, threads)
                same = {tid: (lib.pcs_of(thread), functions(thread))
                        for tid, thread in threads.items()} == {
                            tid: (lib.pcs_of(thread), functions(thread))
                            for tid, thread in before.items()}
                check(f"{kind}, {how}: the stacks as before", same and len(threads) >= CELLS)


def test_deleted_library() -> None:
    with lib.scratch_dir() as path:
        source = next(word for word in subprocess.run(
            ["ldd", str(lib.WORKLOADS / "mix")], stdout=subprocess.PIPE, text=True,
            check=True).stdout.split() if "/libc.so" in word)
        library = path / "libc.so.6"
        shutil.copy(source, library)
        env = {**os.environ, "LD_LIBRARY_PATH": str(path)}
        with lib.running("mix", [str(lib.WORKLOADS / "mix"), str(CELLS)], env=env) as target:
            target.read_until("ready")
            library.unlink()
            threads = lib.dump(target.pid)[target.pid]
            check_truth("libc deleted", target, threads)
            modules = {frame["module"] for thread in threads.values()
                       for frame in thread["frames"] if frame["function"] == "start_thread"}
            check("libc deleted: it was the one", modules == {str(library)}, modules)


# --- containers ----------------------------------------------------------------------------------

def test_contained() -> None:
    # A path that is not on this machine, and one that leads to another program here.
    trap = os.path.realpath("/usr/bin/python3")
    for name, kind, inside in (("own root", "mix", "/app/mix"),
                               ("own root, static", "mix-static", "/static"),
                               ("own root, static-pie", "mix-static-pie", "/deep/er/path"),
                               (f"own root, as {trap}", "mix", trap)):
        with contained(lib.WORKLOADS / kind, inside, CELLS) as (target, pid):
            check(f"{name}: not to be reached by its path", inside == trap or
                  not os.path.exists(inside))
            threads = lib.dump(pid)[pid]
            check_truth(name, target, threads, by_tid=False)
            check(f"{name}: thread ids as they are here", sorted(threads) == lib.tids(pid))
    with contained(lib.WORKLOADS / "mix", "/in-chroot", CELLS, pid_namespace=False) as (target,
                                                                                        pid):
        check_truth("chroot", target, lib.dump(pid)[pid])


INSIDE = """
"$WORKLOAD" "$CELLS" < "$DIR/in" > "$DIR/out" &
until grep -qx ready "$DIR/out"; do sleep 0.05; done
echo $! > "$DIR/pid"
ls /proc/$!/task > "$DIR/tids"
"$LOITER" dump -p $! -f json > "$DIR/json"
status=$?
"$LOITER" dump -p "$OUTER" 2> "$DIR/errors"
echo $? >> "$DIR/errors"
exit $status
"""


def test_loiter_inside() -> None:
    """loiter itself lives in a PID namespace: ids are the namespace's, in and out."""
    with lib.scratch_dir() as path, lib.workload("herd", 1) as outer:
        os.mkfifo(path / "in")
        keep_open = os.open(path / "in", os.O_RDWR)
        env = {**os.environ, "DIR": str(path), "LOITER": str(lib.LOITER), "CELLS": str(CELLS),
               "OUTER": str(outer.pid), "WORKLOAD": str(lib.WORKLOADS / "mix")}
        done = subprocess.run(["unshare", "-p", "-f", "--mount-proc", "bash", "-c", INSIDE],
                              env=env, stderr=subprocess.PIPE, text=True, check=False,
                              timeout=lib.DEADLINE_S)
        os.close(keep_open)
        if not check("inside a PID namespace: a report", done.returncode == 0, done.stderr):
            return
        process = json.loads((path / "json").read_text())["processes"][0]
        threads = {thread["tid"]: thread for thread in process["threads"]}
        pid = int((path / "pid").read_text())
        check("inside: the process's id", process["pid"] == pid and pid < 100, process["pid"])
        check("inside: the threads' ids", sorted(threads) ==
              sorted(map(int, (path / "tids").read_text().split())))
        told = Target("mix", outer.proc, (path / "out").read_text().splitlines())
        check_truth("inside", told, threads)
        errors = (path / "errors").read_text().splitlines()
        check("inside: no process of the outside", errors ==
              [f"loiter: no such process '{outer.pid}'", "1"], errors)


# --- code that is in no file ---------------------------------------------------------------------

JIT_NAMES = ["jit_inner with blanks", "jit_outer", "call_jit", "jit_main"]


def check_jit(name: str, pid: int, names: list) -> None:
    threads = {thread["comm"]: thread for thread in lib.dump(pid)[pid].values()}
    mapped, other = threads["jit-mapped"], threads["jit-unmapped"]
    check(f"{name}: the functions of the map", functions(mapped)[:4] == names, functions(mapped))
    check(f"{name}: to the thread's first frame", functions(mapped)[4:5] == ["start_thread"],
          functions(mapped))
    check(f"{name}: without a map no names, and the same frames", functions(other)[:4] ==
          [None, None, "call_jit", "unmapped_main"], functions(other))
    for thread in (mapped, other):
        guessed = [bool(frame.get("guessed")) for frame in lib.frames_of(thread)]
        check(f"{name}: {thread['comm']}: called guessed", thread["quality"] == "guessed" and
              any(guessed[:3]), (thread["quality"], guessed))


def test_jit() -> None:
    if not (lib.WORKLOADS / "jit").exists():
        skip("jit", "not built for this machine")
        return
    with lib.workload("jit") as target:
        check_jit("jit", target.pid, JIT_NAMES)
        threads = lib.dump(target.pid)[target.pid]
        stacks = lib.eu_stack(target.pid)
        wrong = [lib.show_stacks(lib.pcs_of(thread), stacks[tid])
                 for tid, thread in threads.items() if lib.pcs_of(thread) != stacks[tid]]
        check("jit: the frames that eu-stack has", not wrong, wrong)
        # A map that is no map: neither a hang nor a name.
        path = Path(f"/tmp/perf-{target.pid}.map")
        good = path.read_text()
        code = int(good.split()[0], 16)
        for what, text in (
                ("empty", ""), ("noise", os.urandom(3_000_000).decode("latin-1")),
                ("lines without end", "7f" * 5_000_000),
                ("ranges that wrap", f"{code:x} ffffffffffffffff wrap\nffffffffffffffff 2 end\n"),
                ("sizes of nothing", f"{code:x} 0 nothing\n{code + 16:x} 0 nothing\n")):
            path.write_text(text)
            check_jit(f"jit, map of {what}", target.pid, [None, None, "call_jit", "jit_main"])
        path.unlink()
        os.mkfifo(path)
        check_jit("jit, map a pipe", target.pid, [None, None, "call_jit", "jit_main"])
        path.unlink()
        path.symlink_to("/dev/zero")
        check_jit("jit, map without end", target.pid, [None, None, "call_jit", "jit_main"])
        path.unlink()
        path.write_text("")  # for the workload to remove
    with contained(lib.WORKLOADS / "jit", "/jit") as (_, pid):
        check_jit("jit, own root and PID namespace", pid, JIT_NAMES)


# --- separate debug files ------------------------------------------------------------------------

def split(path: Path) -> tuple[Path, Path]:
    """Makes a stripped mix and the file with its debug information. Returns both."""
    program, debug = path / "program", path / "program.debug"
    source = str(lib.WORKLOADS / "mix")
    for command in (["objcopy", "--only-keep-debug", source, str(debug)],
                    ["strip", "--strip-all", "-o", str(program), source],
                    ["objcopy", f"--add-gnu-debuglink={debug}", str(program)]):
        subprocess.run(command, check=True)
    return program, debug


def build_id(path: Path) -> str:
    done = subprocess.run(["readelf", "-n", str(path)], stdout=subprocess.PIPE, text=True,
                          check=True)
    return done.stdout.split("Build ID:")[1].split()[0]


def by_build_id(path: Path) -> str:
    identity = build_id(path)
    return f"/usr/lib/debug/.build-id/{identity[:2]}/{identity[2:]}.debug"


def dump_of(program: Path) -> tuple[Target, Threads]:
    with lib.running("mix", [str(program), str(CELLS)]) as target:
        target.read_until("ready")
        return target, lib.dump(target.pid)[target.pid]


def test_debug_files() -> None:
    with lib.scratch_dir() as path:
        program, debug = split(path)
        check_truth("debug file beside the program", *dump_of(program))
        (path / ".debug").mkdir()
        debug.rename(path / ".debug" / debug.name)
        check_truth("debug file in .debug", *dump_of(program))
        hidden = path / "hidden"
        (path / ".debug" / debug.name).rename(hidden)
        _, threads = dump_of(program)
        lines = [frame for thread in threads.values() for frame in thread["frames"]
                 if frame["module"] == str(program) and (frame["file"] or frame["function"])]
        check("no debug file: no name is made up", not lines, lines[:3])
        other = lib.WORKLOADS / "herd"
        subprocess.run(["objcopy", "--only-keep-debug", str(other), str(debug)], check=True)
        _, threads = dump_of(program)
        lines = [frame for thread in threads.values() for frame in thread["frames"]
                 if frame["module"] == str(program) and frame["file"]]
        check("debug file of another program: not used", not lines, lines[:3])
        debug.unlink()
        with contained(program, "/app/mix", CELLS, extra={hidden: by_build_id(program)}) as (
                target, pid):
            check_truth("debug file by build ID in its own root", target, lib.dump(pid)[pid],
                        by_tid=False)
        with lib.running("mix", [str(program), str(CELLS)]) as target:
            target.read_until("ready")
            place = by_build_id(program)
            script = (f"mount -t tmpfs none /usr/lib/debug && mkdir -p {os.path.dirname(place)} && "
                      f"cp {shlex.quote(str(hidden))} {place} || exit 99\n"
                      f"exec {lib.LOITER} dump -p {target.pid} -f json")
            os.makedirs("/usr/lib/debug", exist_ok=True)
            done = subprocess.run(["unshare", "-m", "bash", "-c", script], text=True, check=True,
                                  stdout=subprocess.PIPE, timeout=lib.DEADLINE_S)
            threads = {thread["tid"]: thread
                       for thread in json.loads(done.stdout)["processes"][0]["threads"]}
            check_truth("debug file by build ID on this machine", target, threads)


def test_compressed() -> None:
    for how in ("zlib", "zlib-gnu"):
        with lib.scratch_dir() as path:
            program = path / "program"
            subprocess.run(["objcopy", f"--compress-debug-sections={how}",
                            str(lib.WORKLOADS / "mix"), str(program)], check=True)
            check_truth(f"debug sections compressed by {how}", *dump_of(program))


# --- kernel frames -------------------------------------------------------------------------------

def test_kernel() -> None:
    words = {"sleep": "nanosleep", "mutex lock": "futex", "select": "poll", "read": "pipe_read"}
    with lib.workload("ages", 8) as target:
        threads = dump_json("-p", target.pid, "-k")[target.pid]
        for wait, word in words.items():
            of = [[frame["function"] for frame in thread["kernel_frames"]]
                  for thread in threads.values() if thread["wait"] == wait]
            check(f"-k: {wait} is in the kernel's {word}", of and all(
                any(word in (func or "") for func in stack) and
                any("entry_SYSCALL" in (func or "") for func in stack[-2:]) for stack in of), of)
        plain = dump_json("-p", target.pid)[target.pid]
        check("-k: user frames are the same", all(
            lib.pcs_of(plain[tid]) == lib.pcs_of(thread) for tid, thread in threads.items()))
        check("without -k no kernel frames", not any(
            thread.get("kernel_frames") for thread in plain.values()))
        for form in ("text", "threads", "go", "folded"):
            with_k = lib.run_loiter("dump", "-p", target.pid, "-f", form, "-k")
            without = lib.run_loiter("dump", "-p", target.pid, "-f", form)
            check(f"-k, {form}: has them", "nanosleep" in with_k.stdout and
                  "entry_SYSCALL" in with_k.stdout and "entry_SYSCALL" not in without.stdout,
                  with_k.stdout[:600])


# --- which processes, which threads --------------------------------------------------------------

def test_several() -> None:
    with lib.workload("herd", 5) as one, lib.workload("mix", CELLS) as two, \
            lib.workload("spin", 1) as three:
        report = dump_json("-p", two.pid, "-p", one.pid, "-p", three.pid, "-p", one.pid)
        check("several -p: each once", sorted(report) == sorted((one.pid, two.pid, three.pid)),
              sorted(report))
        check("several -p: all threads of each", all(
            sorted(report[target.pid]) == lib.tids(target.pid) for target in (one, two, three)))
        check_truth("several -p", two, report[two.pid])
        check("several -p: names of the right file", all(
            "herd_wait" in functions(thread) for tid, thread in report[one.pid].items()
            if tid != one.pid))
        text = lib.run_loiter("dump", "-p", one.pid, "-p", two.pid).stdout
        check("several -p: a heading each", f"herd (pid {one.pid}), 6 threads" in text and
              f"mix (pid {two.pid}), " in text, text[:300])


def test_names() -> None:
    with lib.scratch_dir() as path:
        program = path / "loiter-e2e-name-of-a-target"  # longer than the 15 bytes of a comm
        shutil.copy(lib.WORKLOADS / "herd", program)
        with lib.running("one", [str(program), "2"]) as one, \
                lib.running("two", [str(program), "3"]) as two, \
                lib.workload("ages", 1) as other:
            for target in (one, two):
                target.read_until("ready")
            pids = sorted((one.pid, two.pid))
            for name in (program.name, program.name[:15]):
                check(f"-n {name}: both", sorted(dump_json("-n", name)) == pids)
            check("-n and -p together: each once", sorted(dump_json(
                "-n", program.name, "-p", one.pid, "-p", other.pid)) == sorted([*pids, other.pid]))
            program.unlink()
            check("-n: both, of a file that is gone", sorted(dump_json("-n", program.name)) == pids)
            shutil.copy(sys.executable, program)
            check("-n: both, of a file that was replaced",
                  sorted(dump_json("-n", program.name)) == pids)
            done = lib.run_loiter("dump", "-n", program.name[:7])
            check("-n: no part of a name", done.returncode == 1, done.stdout[:200])
            check("-n: not its threads' names", lib.run_loiter("dump", "-n", "jit-mapped"
                                                               ).returncode == 1)


def test_groups() -> None:
    """Of as many groups as the kernel allows: what /proc says of such a process is long."""
    if lib.skip_in_vm("many groups", "what /proc says of them is alike on every kernel"):
        return
    groups = list(range(4_000_000_000, 4_000_000_000 + os.sysconf("SC_NGROUPS_MAX")))
    with lib.running("herd", [str(lib.WORKLOADS / "herd"), "2"], extra_groups=groups) as target:
        target.read_until("ready")
        check("many groups: a dump", sorted(dump_json("-p", target.pid)[target.pid]) ==
              lib.tids(target.pid))
        done = lib.run_loiter("record", "-p", target.pid, "-d", "2s", "-f", "json")
        check("many groups: a recording, to its end", done.returncode == 0 and
              json.loads(done.stdout)["window_ns"] >= 2_000_000_000, done.stderr)


def user_processes() -> set[int]:
    """Returns the processes that have memory of their own: no kernel threads, no zombies."""
    ret = set()
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink(f"/proc/{entry}/exe"):
                ret.add(int(entry))
        except OSError:
            pass
    return ret


def test_all() -> None:
    with lib.workload("herd", 5) as one, lib.workload("mix", CELLS) as two:
        before = user_processes()
        report = dump_json("-a")
        after = user_processes()
        missing = (before & after) - report.keys()
        check("-a: every process", not missing, missing)
        check("-a: and us", os.getpid() in report)
        check("-a: no kernel thread", 2 not in report and all(report.values()))
        check_truth("-a", two, report[two.pid])
        check("-a: all threads", sorted(report[one.pid]) == lib.tids(one.pid))
        done = lib.run_loiter("dump", "-a", "-k")
        check("-a, as text", done.returncode == 0 and f"(pid {two.pid})" in done.stdout, done)


def test_filters() -> None:
    with lib.workload("herd", 5) as target:
        whole = dump_json("-p", target.pid)[target.pid]
        busy = dump_json("-p", target.pid, "--no-idle")[target.pid]
        check("--no-idle: leaves out who waits for work from outside, and no other",
              set(whole) - set(busy) == {target.pid} and len(busy) == 5, sorted(busy))
        text = lib.run_loiter("dump", "-p", target.pid, "--no-idle").stdout
        check("--no-idle: says what it leaves out", "1 idle" in text.splitlines()[0], text)
        none = dump_json("-p", target.pid, "--min-block", "1h")[target.pid]
        check("--min-block 1h: none", not none, sorted(none))
        text = lib.run_loiter("dump", "-p", target.pid, "--min-block", "1h").stdout
        check("--min-block: says what it leaves out", "6" in text.splitlines()[0], text)
        every = dump_json("-p", target.pid, "--min-block", "1us")[target.pid]
        check("--min-block 1us: all", sorted(every) == sorted(whole), sorted(every))
    with lib.workload("spin", 2) as target:
        blocked = dump_json("-p", target.pid, "--min-block", "1us")[target.pid]
        check("--min-block leaves out who runs", target.pid in blocked and not any(
            thread["state"] == "running" for thread in blocked.values()), blocked)
    with lib.workload("ages", 12) as target:
        since = {int(line.split()[1]): int(line.split()[2]) for line in target.lines}
        threads = dump_json("-p", target.pid)[target.pid]
        ages = sorted(threads[tid]["age_ns"] for tid in since)
        # It only grows older: who was older than the limit then still is.
        limit_ns = ages[len(ages) // 2]
        shown = dump_json("-p", target.pid, "--min-block", f"{limit_ns // 1000}us")[target.pid]
        check("--min-block between two ages: all older ones, and only such",
              {tid for tid in since if threads[tid]["age_ns"] >= limit_ns} <= shown.keys() and
              all(thread["age_ns"] >= limit_ns // 1000 * 1000 for thread in shown.values()),
              (limit_ns, ages, sorted(shown)))


def main() -> None:
    lib.need_loiter()
    for kind in lib.sized(("mix", "mix-static", "mix-static-pie", "mix-stripped"), ("mix",)):
        attempt(f"deleted {kind}", test_deleted, kind)
    for test in (test_deleted_library, test_contained, test_loiter_inside, test_kernel,
                 test_several, test_names, test_groups, test_all, test_filters):
        attempt(test.__name__, test)
    for test in (test_jit, test_debug_files, test_compressed):
        if not lib.skip_in_vm(test.__name__, "files are read alike on every kernel"):
            attempt(test.__name__, test)
    lib.finish()


if __name__ == "__main__":
    main()
