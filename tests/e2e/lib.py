# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""What the end-to-end tests share: checks, targets to look at, and the two observers to compare.

A test is a plain script: it calls check() and skip() and ends with finish(), which prints
`NAME: N passed, N failed, N skipped`. Everything it started ends with its `with` block, by pid.
"""
import contextlib
import json
import os
import pty
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

REPO = Path(__file__).resolve().parents[2]
LOITER = Path(os.environ.get("LOITER") or REPO / "build" / "loiter")
WORKLOADS = REPO / "build" / "workloads"
IN_VM = os.environ.get("LOITER_VM") == "1"  # as tests/vm sets it
DEADLINE_S = 240 if IN_VM else 120  # for any one condition, on the slowest machine
DETAIL_MAX = 2000

# A target's debug files come from this machine alone, for both observers.
os.environ.pop("DEBUGINFOD_URLS", None)

Pcs = list[int]
Stacks = dict[int, Pcs]
Thread = dict[str, Any]


def sized(here: Any, in_vm: Any) -> Any:
    """Returns how much of something a test takes. The VMs' processors are made of instructions of
    ours, and are 5 to 20 times slower."""
    return in_vm if IN_VM else here


def kernel_version() -> tuple[int, int]:
    major, minor = re.match(r"(\d+)\.(\d+)", os.uname().release).groups()
    return int(major), int(minor)


def has_preempt_rt() -> bool:
    """Whether this kernel is one of PREEMPT_RT, by what it says itself."""
    return "PREEMPT_RT" in os.uname().version


# The workload busy and its arguments: a report has each of its stacks, by thread.
BUSY = ("busy", *sized((), (4, 1)))


# --- checks -----------------------------------------------------------------------------------

class _Tally:
    passed = 0
    failed = 0
    skipped = 0


def check(name: str, cond: object, detail: object = "") -> bool:
    """Counts and prints one check; @detail is printed when it fails."""
    if cond:
        _Tally.passed += 1
        print(f"  ok    {name}", flush=True)
        return True
    _Tally.failed += 1
    print(f"  FAIL  {name}", flush=True)
    for line in str(detail)[:DETAIL_MAX].splitlines():
        print(f"        {line}", flush=True)
    return False


def skip(name: str, why: str) -> None:
    _Tally.skipped += 1
    print(f"  skip  {name}: {why}", flush=True)


def skip_in_vm(name: str, why: str) -> bool:
    """Skips @name, and returns true, where a processor is as slow as that of a VM."""
    if IN_VM:
        skip(name, f"too slow without hardware to run it on: {why}")
    return IN_VM


def note(text: str) -> None:
    """Prints a figure that nothing depends on."""
    print(f"        {text}", flush=True)


def attempt(name: str, test: Callable[..., None], *args: Any) -> None:
    """Runs @test; what it raises is one failed check, and the tests after it still run."""
    try:
        test(*args)
    except Exception as error:  # pylint: disable=broad-exception-caught
        where = traceback.extract_tb(error.__traceback__)[-1]
        check(name, False, f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})")


def attempt_lines(*lines: list[tuple[Any, ...]]) -> None:
    """Attempts the tests of each line one after the other, and the lines side by side: for tests
    that mostly wait, or that do not care when they run. A test is a tuple, what attempt() takes."""
    def attempt_line(line: list[tuple[Any, ...]]) -> None:
        for test in line:
            attempt(*test)
    with ThreadPoolExecutor(len(lines)) as pool:
        list(pool.map(attempt_line, lines))


def finish() -> None:
    """Prints the summary and ends the script."""
    name = Path(sys.argv[0]).stem
    print(f"{name}: {_Tally.passed} passed, {_Tally.failed} failed, {_Tally.skipped} skipped")
    sys.exit(1 if _Tally.failed or not (_Tally.passed or _Tally.skipped) else 0)


def wait_for(what: str, cond: Callable[[], Any]) -> Any:
    """Returns the first true value of @cond, or raises TimeoutError."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        value = cond()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"waited {DEADLINE_S} s for {what}")


def need_loiter() -> None:
    """Ends the script with a failure when there is no loiter to test."""
    if not check("loiter is built", os.access(LOITER, os.X_OK), f"no {LOITER}"):
        finish()
    if not check("run as root", os.geteuid() == 0, "the tests look at other processes"):
        finish()


# --- targets ----------------------------------------------------------------------------------

@dataclass
class Target:
    """A process under observation."""
    name: str
    proc: subprocess.Popen
    lines: list[str] = field(default_factory=list)
    port: int = 0
    dir: Optional[Path] = None
    _rest: bytes = b""

    @property
    def pid(self) -> int:
        return self.proc.pid

    def read_line(self) -> str:
        """Returns the next line of stdout; raises when it ends or nothing comes."""
        assert self.proc.stdout is not None
        fd = self.proc.stdout.fileno()
        while b"\n" not in self._rest:
            if not select.select([fd], [], [], DEADLINE_S)[0]:
                raise TimeoutError(f"{self.name}: no output for {DEADLINE_S} s")
            data = os.read(fd, 65536)
            if not data:
                raise EOFError(f"{self.name}: ended with status {self.proc.wait()}")
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode(errors="replace")

    def read_until(self, wanted: str) -> None:
        """Keeps lines up to @wanted, which is not kept."""
        while (line := self.read_line()) != wanted:
            self.lines.append(line)

    def stop(self) -> None:
        stop_process(self.proc)


def stop_process(proc: subprocess.Popen, number: int = signal.SIGTERM) -> None:
    """Ends @proc, with SIGKILL when it does not heed @number."""
    if proc.poll() is None:
        proc.send_signal(signal.SIGCONT)
        proc.send_signal(number)
        try:
            proc.wait(20)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()
    for pipe in (proc.stdin, proc.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


@contextlib.contextmanager
def running(name: str, argv: list[str], **kwargs: Any) -> Iterator[Target]:
    """Runs @argv with pipes for stdin and stdout and ends it afterwards."""
    proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            **kwargs)
    target = Target(name, proc)
    try:
        yield target
    finally:
        target.stop()


@contextlib.contextmanager
def workload(name: str, *args: object) -> Iterator[Target]:
    """Runs one of the workloads; it is in its steady state, and .lines has what it said before."""
    argv = [str(WORKLOADS / name), *map(str, args)]
    with running(name, argv) as target:
        target.read_until("ready")
        yield target


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def find_program(*names: str) -> Optional[str]:
    """Returns the first of @names (or paths with a glob) that can be run."""
    for name in names:
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if found:
            return found
        if "/" in name:
            paths = sorted(Path("/").glob(name.lstrip("/")))
            if paths:
                return str(paths[-1])
    return None


@contextlib.contextmanager
def scratch_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="loiter-e2e-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def server(name: str, make_argv: Callable[[Path, int], list[str]], **kwargs: Any
           ) -> Iterator[Target]:
    """Runs a server on a free loopback port in a directory of its own until it answers."""
    port = free_port()
    with scratch_dir() as path:
        log = open(path / "log", "wb")
        argv = make_argv(path, port)
        proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log,
                                stderr=log, cwd=path, **kwargs)
        log.close()
        target = Target(name, proc, port=port, dir=path)
        try:
            wait_for(f"{name} to listen", lambda: answers(port) or proc.poll() is not None)
            if proc.poll() is not None:
                raise RuntimeError(f"{name} ended: {(path / 'log').read_text()[-500:]}")
            yield target
        finally:
            stop_process(proc, signal.SIGINT if name == "postgres" else signal.SIGTERM)


def redis() -> contextlib.AbstractContextManager[Target]:
    return server("redis", lambda path, port: [
        "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(path),
        "--save", "", "--daemonize", "no"])


def memcached() -> contextlib.AbstractContextManager[Target]:
    return server("memcached", lambda path, port: [
        "memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "4"])


NGINX_CONF = """
user root;
daemon off;
worker_processes 2;
pid {path}/pid;
error_log {path}/error.log;
events {{ }}
http {{
	access_log off;
	client_body_temp_path {path}/body;
	proxy_temp_path {path}/proxy;
	fastcgi_temp_path {path}/fastcgi;
	uwsgi_temp_path {path}/uwsgi;
	scgi_temp_path {path}/scgi;
	server {{ listen 127.0.0.1:{port}; return 200 "hello\\n"; }}
}}
"""


def nginx() -> contextlib.AbstractContextManager[Target]:
    def argv(path: Path, port: int) -> list[str]:
        conf = path / "nginx.conf"
        conf.write_text(NGINX_CONF.format(path=path, port=port))
        program = find_program("nginx") or "nginx"
        return [program, "-p", str(path), "-c", str(conf), "-e", str(path / "error.log")]
    return server("nginx", argv)


def postgres_program(name: str) -> Optional[str]:
    return find_program(f"/usr/lib/postgresql/*/bin/{name}", f"/usr/pgsql-*/bin/{name}", name)


def postgres_user() -> dict[str, Any]:
    """Returns what makes subprocess run as the user postgres, which the server insists on."""
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def postgres() -> Iterator[Target]:
    user = postgres_user()

    def argv(path: Path, port: int) -> list[str]:
        os.chown(path, user["user"], user["group"])
        subprocess.run([postgres_program("initdb"), "-D", str(path / "data"), "-A", "trust",
                        "-U", "postgres", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL, cwd=path, **user)
        return [postgres_program("postgres"), "-D", str(path / "data"), "-p", str(port),
                "-k", str(path), "-c", "listen_addresses=127.0.0.1", "-F"]

    with server("postgres", argv, **user) as target:
        # It answers before it is up, and then turns everybody away.
        ready = [postgres_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(target.port)]
        wait_for("postgres to be up",
                 lambda: subprocess.run(ready, check=False).returncode == 0)
        yield target


@contextlib.contextmanager
def psql_session(target: Target) -> Iterator[int]:
    """Keeps a session open at @target and gives the pid of its backend."""
    argv = [postgres_program("psql") or "psql", "-qAtX", "-h", "127.0.0.1", "-p", str(target.port),
            "-U", "postgres"]
    with running("psql", argv) as session:
        assert session.proc.stdin is not None
        session.proc.stdin.write(b"select pg_backend_pid();\n")
        session.proc.stdin.flush()
        yield int(session.read_line())


def mariadb() -> contextlib.AbstractContextManager[Target]:
    def argv(path: Path, port: int) -> list[str]:
        common = ["--no-defaults", "--user=root", f"--datadir={path / 'data'}"]
        subprocess.run([find_program("mariadb-install-db"), *common, "--skip-test-db",
                        "--auth-root-authentication-method=normal"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return [find_program("mariadbd") or "mariadbd", *common, f"--port={port}",
                "--bind-address=127.0.0.1", f"--socket={path / 'socket'}",
                f"--pid-file={path / 'pid'}"]
    return server("mariadbd", argv)


PYTHON_THREADS = """
import queue, select, socket, sys, threading, time
lock = threading.Lock()
lock.acquire()
listener = socket.create_server(("127.0.0.1", 0))
waits = [lock.acquire, threading.Event().wait, queue.Queue().get, listener.accept,
         threading.Semaphore(0).acquire, lambda: time.sleep(1e6),
         lambda: select.select([listener.fileno() + 100], [], []) if 0 else select.poll().poll(),
         threading.Barrier(2).wait]
def level(depth, wait):
    return level(depth - 1, wait) if depth else wait()
for i, wait in enumerate(waits):
    threading.Thread(target=level, args=(i * 3, wait), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def python_threads() -> Iterator[Target]:
    """Debian's python3 with a thread in each of its own ways to wait, at several depths."""
    with running("python3", ["/usr/bin/python3", "-c", PYTHON_THREADS]) as target:
        target.read_until("ready")
        wait_settled(target.pid)
        yield target


# --- /proc ------------------------------------------------------------------------------------

def status_fields(pid: int, tid: int) -> dict[str, str]:
    """Returns /proc/PID/task/TID/status, or {} when the thread is gone."""
    try:
        text = Path(f"/proc/{pid}/task/{tid}/status").read_text()
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def tids(pid: int) -> list[int]:
    return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))


def children(pid: int) -> list[int]:
    return [int(word) for tid in tids(pid)
            for word in Path(f"/proc/{pid}/task/{tid}/children").read_text().split()]


def switches(pid: int) -> dict[int, tuple[int, int]]:
    """Returns how often each thread was switched out, of its own will and not."""
    ret = {}
    for tid in tids(pid):
        fields = status_fields(pid, tid)
        if fields:
            ret[tid] = (int(fields["voluntary_ctxt_switches"]),
                        int(fields["nonvoluntary_ctxt_switches"]))
    return ret


def has_state(pid: int, tid: int, states: str) -> bool:
    return status_fields(pid, tid).get("State", "?")[0] in states


def wait_settled(pid: int, states: str = "SD") -> None:
    """Waits until all threads of @pid are blocked, or in @states, as ps has them."""
    wait_for(f"{pid} to be in {states}",
             lambda: all(has_state(pid, tid, states) for tid in tids(pid)))


# --- observers --------------------------------------------------------------------------------

def run_loiter(*args: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(LOITER), *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S, check=False)


def run_loiter_on_terminal(*args: object) -> tuple[subprocess.CompletedProcess, bytes]:
    """Returns also the first of what stood on the terminal, which is standard output."""
    master, slave = pty.openpty()
    try:
        done = subprocess.run([str(LOITER), *map(str, args)], stdout=slave, stderr=subprocess.PIPE,
                              text=True, timeout=DEADLINE_S, check=False)
        os.set_blocking(master, False)
        shown = b""
        with contextlib.suppress(BlockingIOError):
            shown = os.read(master, 100)
        return done, shown
    finally:
        os.close(slave)
        os.close(master)


def dump(*pids: int) -> dict[int, dict[int, Thread]]:
    """Returns what loiter says: {pid: {tid: thread}}; raises when it fails or prints no JSON."""
    args = [word for pid in pids for word in ("-p", str(pid))]
    done = run_loiter("dump", *args, "-f", "json")
    if done.returncode != 0:
        raise RuntimeError(f"loiter dump: status {done.returncode}: {done.stderr.strip()}")
    report = json.loads(done.stdout)
    return {process["pid"]: {thread["tid"]: thread for thread in process["threads"]}
            for process in report["processes"]}


def frames_of(thread: Thread) -> list[dict[str, Any]]:
    """Returns the frames that are frames of the stack: inlined ones are part of another."""
    return [frame for frame in thread.get("frames") or [] if not frame.get("inlined")]


def pcs_of(thread: Thread) -> Pcs:
    return [int(frame["pc"], 16) for frame in frames_of(thread)]


def is_stable(thread: Thread) -> bool:
    """Whether loiter stands by this stack."""
    return thread["state"] in ("blocked", "runnable") and thread.get("quality") == "complete"


_EU_THREAD = re.compile(r"TID (\d+):")
_EU_FRAME = re.compile(r"#\d+\s+0x([0-9a-f]+)")


def parse_eu_stack(text: str) -> Stacks:
    stacks: Stacks = {}
    pcs: Pcs = []
    for line in text.splitlines():
        if match := _EU_THREAD.match(line):
            pcs = stacks.setdefault(int(match[1]), [])
        elif match := _EU_FRAME.match(line):
            pcs.append(int(match[1], 16))
    return stacks


def run_eu_stack(pid: int, *args: str) -> str:
    """Returns what elfutils prints. It stops @pid, and hangs on a thread in state D."""
    for tid in tids(pid):
        if status_fields(pid, tid).get("State", "?").startswith("D"):
            raise RuntimeError(f"eu-stack would hang on thread {tid} of {pid}")
    return subprocess.run(["eu-stack", *args, "-n", "0", "-p", str(pid)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, timeout=DEADLINE_S,
                          check=False).stdout


def eu_stack(pid: int) -> Stacks:
    """Returns the stacks that elfutils finds."""
    return parse_eu_stack(run_eu_stack(pid, "-q"))


def show_stacks(ours: Pcs, theirs: Pcs) -> str:
    """Returns the first place where two stacks part, for a failed check."""
    for i, (a, b) in enumerate(zip(ours, theirs)):
        if a != b:
            return f"frame {i}: loiter {a:#x}, eu-stack {b:#x}"
    return f"loiter has {len(ours)} frames, eu-stack {len(theirs)}"
