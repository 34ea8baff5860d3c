# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Real programs at work. Each of these gives the pids to look at while its load runs, or raises
Absent with the name of what is not installed."""
import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Iterator

import lib
from lib import running, wait_for

CLIENTS = 8
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Absent(Exception):
    """A program that the load needs is not installed."""


def program(*names: str) -> str:
    found = lib.find_program(*names)
    if not found:
        raise Absent(f"no {names[0]}")
    return found


def block_count(pids: list[int]) -> int:
    return sum(count for pid in pids for count, _ in lib.switches(pid).values())


def wait_busy(*pids: int) -> None:
    """Returns when the threads of @pids have blocked often since now."""
    before = block_count(list(pids))
    wait_for("load", lambda: block_count(list(pids)) > before + 100)


@contextlib.contextmanager
def redis() -> Iterator[list[int]]:
    program("redis-server")
    with lib.redis() as target:
        argv = [program("redis-benchmark"), "-p", str(target.port), "-c", "20", "-l", "-q", "-t",
                "set,get,lpush,lrange_100"]
        with running("redis-benchmark", argv, stderr=subprocess.DEVNULL):
            wait_busy(target.pid)
            yield [target.pid]


@contextlib.contextmanager
def postgres() -> Iterator[list[int]]:
    if not lib.postgres_program("initdb"):
        raise Absent("no postgres")
    pgbench = lib.postgres_program("pgbench")
    if not pgbench:
        raise Absent("no pgbench")
    with lib.postgres() as target:
        argv = [pgbench, "-h", "127.0.0.1", "-p", str(target.port), "-U", "postgres"]
        subprocess.run([*argv, "-i", "-q", "-s", "4", "postgres"], check=True, **QUIET)
        before = set(lib.children(target.pid))
        with running("pgbench", [*argv, "-c", str(CLIENTS), "-T", "3600", "postgres"],
                     stderr=subprocess.DEVNULL):
            wait_for("backends", lambda: len(set(lib.children(target.pid)) - before) >= CLIENTS)
            wait_busy(*lib.children(target.pid))
            yield [target.pid, *lib.children(target.pid)]


def mariadb_argv(path: Path, port: int) -> list[str]:
    data = f"--datadir={path / 'data'}"
    subprocess.run([program("mariadb-install-db"), "--no-defaults", data, "--user=root",
                    "--auth-root-authentication-method=normal", "--skip-test-db"],
                   check=True, cwd=path, **QUIET)
    return [program("mariadbd"), "--no-defaults", data, "--user=root", f"--port={port}",
            "--bind-address=127.0.0.1", f"--socket={path / 'socket'}",
            f"--pid-file={path / 'pid'}"]


@contextlib.contextmanager
def mariadb() -> Iterator[list[int]]:
    for name in ("mariadbd", "mariadb-install-db", "mariadb-slap"):
        program(name)
    with lib.server("mariadb", mariadb_argv) as target:
        argv = [program("mariadb-slap"), "--no-defaults", "-h", "127.0.0.1", "-P",
                str(target.port), "-u", "root", "-a", "-c", str(CLIENTS), "-i", "1000000",
                "--number-of-queries=4000"]
        with running("mariadb-slap", argv, stderr=subprocess.DEVNULL):
            wait_busy(target.pid)
            yield [target.pid]


# Each way to wait of its own, at a depth of its own, in turn with another thread.
PYTHON_AT_WORK = """
import queue, sys, threading, time
def level(depth, step):
    return level(depth - 1, step) if depth else step()
def repeat(depth, step):
    while True:
        level(depth, step)
work, done = queue.Queue(), queue.Queue()
semaphore, lock, condition = threading.Semaphore(0), threading.Lock(), threading.Condition()
def ask():
    work.put(1)
    done.get()
def answer():
    done.put(work.get())
def release():
    semaphore.release()
    time.sleep(0.0005)
def hold():
    with lock:
        time.sleep(0.0003)
def notify():
    with condition:
        condition.notify_all()
    time.sleep(0.001)
def wait():
    with condition:
        condition.wait()
for i, step in enumerate((ask, answer, release, semaphore.acquire, hold, hold, notify, wait)):
    threading.Thread(target=repeat, args=(i * 2, step), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def python3() -> Iterator[list[int]]:
    with running("python3", [program("/usr/bin/python3"), "-c", PYTHON_AT_WORK]) as target:
        target.read_until("ready")
        wait_busy(target.pid)
        yield [target.pid]


@contextlib.contextmanager
def perf_bench(*args: str, child_cnt: int) -> Iterator[list[int]]:
    """`perf bench sched ARGS`, which has @child_cnt children that it does not end. Hundreds that
    are always ready to run leave next to nothing to others: they are nice."""
    perf = subprocess.run([lib.REPO / "deps.sh", "perf"], stdout=subprocess.PIPE, text=True,
                          check=False).stdout.strip()
    if not perf:
        raise Absent("no perf")
    argv = ["nice", "-n", "19", perf, "bench", "sched", *args]
    with running("perf", argv, stderr=subprocess.DEVNULL) as target:
        wait_for("its processes", lambda: len(lib.children(target.pid)) >= child_cnt)
        children = lib.children(target.pid)
        try:
            wait_busy(*children)
            yield [target.pid, *children]
        finally:
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def sched_pipe() -> contextlib.AbstractContextManager[list[int]]:
    return perf_bench("pipe", "-l", "1000000000", child_cnt=1)


def sched_messaging() -> contextlib.AbstractContextManager[list[int]]:
    return perf_bench("messaging", "-g", "2", "-l", "100000000", child_cnt=80)


# A compiled trace, which has no call frame information and no frame pointer, calls into libc.
LUAJIT_AT_WORK = """
local ffi = require("ffi")
ffi.cdef("int usleep(unsigned us);")
io.stdout:write("ready\\n")
io.stdout:flush()
while true do ffi.C.usleep(1000) end
"""


@contextlib.contextmanager
def luajit() -> Iterator[list[int]]:
    with running("luajit", [program("luajit"), "-e", LUAJIT_AT_WORK]) as target:
        target.read_until("ready")
        wait_busy(target.pid)
        yield [target.pid]
