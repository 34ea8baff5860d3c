#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Profiles are what `go tool pprof` takes them for: on the demo at step 5, which leaks threads, and
at step 2, which burns CPU."""
import contextlib
import gzip
import html
import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Iterator

from lib import (DEADLINE_S, LOITER, REPO, Target, answers, attempt, check, finish, free_port,
                 need_loiter, run_loiter, run_loiter_on_terminal, running, scratch_dir,
                 stop_process, tids, wait_for, wait_settled)

DEMO = REPO / "build" / "demo-server"
STEPS_C = (REPO / "demo" / "steps.c").read_text().splitlines()
LEAKED = 10  # threads that two requests start


# --- the demo ---------------------------------------------------------------------------------

@contextlib.contextmanager
def demo() -> Iterator[Target]:
    """Runs the demo server; .port is where it listens."""
    argv = [str(DEMO), "--listen", "127.0.0.1:0"]
    with running("demo-server", argv, stderr=subprocess.STDOUT) as target:
        while not (line := target.read_line()).endswith("ready"):
            if match := re.search(r"listening on 127\.0\.0\.1:(\d+)$", line):
                target.port = int(match[1])
        yield target


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=DEADLINE_S) as answer:
        return answer.read().decode(errors="replace")


def leak(target: Target) -> None:
    get(target.port, "/goto?step=5")
    get(target.port, "/")
    get(target.port, "/")
    # The main thread, the one that listens, and what the requests started.
    wait_for("the threads that the requests start, and no others",
             lambda: len(tids(target.pid)) == 2 + LEAKED)
    wait_settled(target.pid)


# --- pprof ------------------------------------------------------------------------------------

def pprof(profile: Path, *args: str) -> str:
    """Returns what `go tool pprof` prints; whatever it complains of is a failed check."""
    done = subprocess.run(["go", "tool", "pprof", *args, str(profile)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S, check=False,
                          cwd=REPO, env=pprof_env(profile.parent))
    # That it took a number for a range is no complaint.
    complaints = re.sub(r"^\w+:Interpreted .*\n", "", done.stderr, flags=re.M)
    check(f"pprof {' '.join(args)}: nothing to complain of",
          done.returncode == 0 and not complaints, complaints)
    return done.stdout


def pprof_env(path: Path) -> dict[str, str]:
    """It looks for binaries and keeps settings in nobody's home but the test's own."""
    return dict(os.environ, HOME=str(path), PPROF_TMPDIR=str(path))


def nodes(top: str) -> dict[str, tuple[str, str]]:
    """Returns {function: (flat, cumulative)} of a -top."""
    return {match[3]: (match[1], match[2])
            for match in re.finditer(r"^ *(\S+) +\S+% +\S+% +(\S+) +\S+%  (.*)$", top, re.M)}


def wait_line() -> tuple[int, str]:
    """Returns the line on which the leaked threads wait."""
    found = [(number, line) for number, line in enumerate(STEPS_C, 1)
             if "pthread_cond_wait(&cancel_cond" in line]
    assert len(found) == 1, found
    return found[0]


def build_id(path: Path) -> str:
    text = subprocess.run(["readelf", "-n", str(path)], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    match = re.search(r"Build ID: ([0-9a-f]+)", text)
    assert match, text
    return match[1]


def load_bias(path: Path, maps: str) -> int:
    """Returns how far from its own addresses the file @path, which starts at 0, is mapped."""
    return int(re.search(rf"^([0-9a-f]+)-.* {re.escape(str(path))}$", maps, re.M)[1], 16)


# --- a snapshot -------------------------------------------------------------------------------

def test_top(profile: Path) -> None:
    top = pprof(profile, "-top")
    check("-top: it is a profile of goroutines", "\nType: goroutine\n" in top, top)
    check("-top: the file is the demo", top.startswith("File: demo-server\n"), top)
    check("-top: with its build ID", f"\nBuild ID: {build_id(DEMO)}\n" in top, top)
    check("-top: loiter says what it is", re.search(r"^loiter \d", top, re.M), top)
    check("-top: every thread is there",
          f"{2 + LEAKED} total" in top, top)
    for name in ("wait_for_cancel", "worker"):
        check(f"-top: {LEAKED} in {name}", nodes(top).get(name) == ("0", str(LEAKED)), top)
    check("-top: inlined functions are marked", "wait_for_end (inline)" in nodes(top), top)


def test_traces(profile: Path) -> None:
    traces = pprof(profile, "-traces").split("-----------+-----")[1:]
    leaked = [trace for trace in traces if re.search(r"^ +wait_for_cancel$", trace, re.M)]
    named = [match[1] for trace in leaked if (match := re.search(r"thread: +(\S+)\n", trace))]
    check("-traces: each leaked thread has its name",
          sorted(named) == sorted(f"worker-{i + 1}" for i in range(LEAKED)), named)
    check("-traces: and waits on a condition variable",
          all(re.search(r"wait: +cond wait\n", trace) for trace in leaked), leaked[:1])
    check("-traces: worker calls wait_for_cancel",
          all(re.search(r"^ +wait_for_cancel\n +worker$", trace, re.M) for trace in leaked),
          leaked[:1])


def test_list(profile: Path) -> None:
    number, line = wait_line()
    text = pprof(profile, "-list", "wait_for_cancel")
    check("-list: the function in its file",
          f"wait_for_cancel in {REPO}/demo/steps.c\n" in text, text)
    check(f"-list: {LEAKED} on the wait line",
          re.search(rf"^ +\. +{LEAKED} +{number}:{re.escape(line)}$", text, re.M), text)


def test_tags(profile: Path, pid: int) -> None:
    text = pprof(profile, "-tags")
    check(f"-tags: {LEAKED} of 'cond wait'", re.search(rf"{LEAKED}\.0 \(.*\): cond wait$", text,
                                                       re.M), text)
    check("-tags: all of one process", re.search(rf"100%\): {pid}$", text, re.M) and
          re.search(r"100%\): demo-server$", text, re.M), text)
    top = pprof(profile, "-top", "-tagfocus=wait=cond wait")
    check("-tagfocus leaves the leaked ones", f"{LEAKED}, 83.33% of 12 total" in top, top)
    top = pprof(profile, "-top", f"-tagfocus=tid={pid}:{pid}")
    check("-tagfocus finds a thread by its id", nodes(top).get("main") == ("0", "1"), top)


def test_raw(profile: Path, pid: int) -> None:
    """The mappings are those of the process, the program's as its file numbers addresses, and the
    locations lie in them."""
    text = pprof(profile, "-raw")
    found = re.findall(r"^(\d+): 0x([0-9a-f]+)/0x([0-9a-f]+)/0x([0-9a-f]+) (\S+) (\S*) (\[FN\].*)$",
                       text, re.M)
    maps = Path(f"/proc/{pid}/maps").read_text()
    mappings = {number: (int(start, 16), int(end, 16)) for number, start, end, *_ in found}
    for number, start, end, offset, path, _, _ in found:
        bias = load_bias(DEMO, maps) if number == "1" else 0
        place = f"{int(start, 16) + bias:x}-{int(end, 16) + bias:x}"
        check(f"-raw: {Path(path).name} is mapped so",
              re.search(rf"^{place} r-xp 0*{offset} .* {re.escape(path)}$", maps, re.M),
              (start, end, offset, path))
    check("-raw: the demo's functions, files, lines and inlined frames are known",
          f"{DEMO} {build_id(DEMO)} [FN][FL][LN][IN]" in text, text[-1000:])
    locations = re.findall(r"^ +\d+: 0x([0-9a-f]+) M=(\d+) ", text, re.M)
    check("-raw: every location lies in its mapping", locations and
          all(mappings[number][0] <= int(addr, 16) < mappings[number][1]
              for addr, number in locations), text)


def stop_group(proc: subprocess.Popen) -> None:
    """`go tool` starts the tool as a child of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(proc.pid, signal.SIGTERM)
    proc.wait(DEADLINE_S)


def test_http(profile: Path) -> None:
    port = free_port()
    argv = ["go", "tool", "pprof", f"-http=127.0.0.1:{port}", "-no_browser", str(profile)]
    with open(profile.parent / "http.log", "wb") as log:
        proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                cwd=REPO, env=pprof_env(profile.parent),
                                start_new_session=True)
    try:
        wait_for("pprof to listen", lambda: answers(port) or proc.poll() is not None)
        page = get(port, "/ui/flamegraph")
        check("-http: the flame graph has the leak", "wait_for_cancel" in page, page[-1000:])
        number, line = wait_line()
        page = get(port, "/ui/source?f=wait_for_cancel")
        shown = re.search(rf"<span class=line> *{number}</span> <span class=\w+> *\. +{LEAKED} "
                          r"([^<]*)</span>", page)
        check(f"-http: the source view has {LEAKED} on the wait line",
              shown and html.unescape(shown[1]).strip() == line.strip(), shown or page[-2000:])
        check("-http: and on its call",
              re.search(rf"^ +\. +{LEAKED} +[0-9a-f]+: +CALL ", page, re.M), page[-2000:])
        page = get(port, "/ui/top")
        check("-http: the table has the leak", "wait_for_cancel" in page, page[-1000:])
    finally:
        stop_group(proc)


def test_kernel(path: Path, pid: int) -> None:
    profile = path / "kernel.pb.gz"
    done = run_loiter("dump", "-p", pid, "-k", "-f", "pprof", "-o", profile)
    check("dump -k -f pprof", done.returncode == 0, done.stderr)
    top = nodes(pprof(profile, "-top"))
    check("-k: the kernel's frames lead out of the program's",
          any("futex" in name and cum == str(LEAKED) for name, (_, cum) in top.items()) and
          top.get("wait_for_cancel") == ("0", str(LEAKED)), top)


def test_terminal(pid: int) -> None:
    """What is no text does not go to a terminal."""
    for args in ((), ("-o", "-")):
        done, shown = run_loiter_on_terminal("dump", "-p", pid, "-f", "pprof", *args)
        check("nothing is shown on the terminal", not shown, shown)
        check(f"a terminal is refused, {args}", done.returncode == 2 and "-o FILE" in done.stderr,
              done.stderr)


def test_snapshot(path: Path) -> None:
    profile, capture = path / "threads.pb.gz", path / "demo.loiter"
    with demo() as target:
        leak(target)
        done = run_loiter("dump", "-p", target.pid, "-f", "pprof", "-o", profile, "--save", capture)
        check("dump -f pprof", done.returncode == 0 and not done.stderr, done.stderr)
        done = subprocess.run(["gzip", "-t", str(profile)], stderr=subprocess.PIPE, text=True,
                              check=False)
        check("gzip -t", done.returncode == 0, done.stderr)
        attempt("-top", test_top, profile)
        attempt("-traces", test_traces, profile)
        attempt("-list", test_list, profile)
        attempt("-tags", test_tags, profile, target.pid)
        attempt("-raw", test_raw, profile, target.pid)
        attempt("-http", test_http, profile)
        attempt("-k", test_kernel, path, target.pid)
        attempt("a terminal", test_terminal, target.pid)
    done = subprocess.run([str(LOITER), "replay", str(capture), "-f", "pprof"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S,
                          check=False)
    check("replay gives the same bytes", done.stdout == profile.read_bytes(), done.stderr)


# --- a recording ------------------------------------------------------------------------------

def record(path: Path, name: str, pid: int, *args: str) -> Path:
    profile = path / name
    done = run_loiter("record", "-p", pid, "-d", "2s", "-f", "pprof", "-o", profile, *args)
    check(f"record {' '.join(args)} -f pprof", done.returncode == 0, done.stderr)
    return profile


def test_blocked(path: Path) -> None:
    """Threads that wait all the time have waited for the whole window, each."""
    with demo() as target:
        leak(target)
        profile = record(path, "blocked.pb.gz", target.pid)
        top = pprof(profile, "-top", "-unit=s")
        check("-top: it is a profile of delays", "\nType: delay\n" in top, top)
        flat, cum = nodes(top).get("wait_for_cancel", ("", "0s"))
        check("-top: every leaked thread waited for the whole of it",
              flat == "0" and LEAKED * 2 * 0.98 <= float(cum.rstrip("s")) <= LEAKED * 2 * 1.5, top)
        top = pprof(profile, "-top", "-sample_index=contentions")
        check("-top: each of them once",
              nodes(top).get("wait_for_cancel") == ("0", str(LEAKED)), top)


def test_on_cpu(path: Path) -> None:
    with demo() as target:
        get(target.port, "/goto?step=2")
        url = f"http://127.0.0.1:{target.port}/"
        with running("curl", ["curl", "-s", url]):
            wait_for("a request to be under way",
                     lambda: len(tids(target.pid)) > 2)
            profile = record(path, "cpu.pb.gz", target.pid, "--on-cpu")
        top = pprof(profile, "-top")
        check("-top: it is a profile of the CPU", "\nType: cpu\n" in top, top)
        rows = list(nodes(top).items())
        check("-top: eat_cpu is on top", rows and rows[0][0].startswith("eat_cpu"), top)
        check("-list: with its lines", "eat_cpu in " in pprof(profile, "-list", "eat_cpu"), top)
        with gzip.open(profile) as file:
            check("the sampling clock is named", b"nanoseconds" in file.read())


def test_creator(path: Path) -> None:
    """Threads that are born while a recording looks on have their creator, in it and in a dump
    beside it."""
    recorded, dumped = path / "creators.pb.gz", path / "beside.pb.gz"
    with demo() as target:
        proc = subprocess.Popen([str(LOITER), "record", "-p", str(target.pid), "-d", "0", "-q",
                                 "-f", "pprof", "-o", str(recorded)])
        try:
            get(target.port, "/goto?step=5")

            def known() -> bool:
                get(target.port, "/")
                subprocess.run([str(LOITER), "dump", "-p", str(target.pid), "-f", "pprof", "-o",
                                str(dumped)], check=True)
                return "start_threads" in pprof(dumped, "-tags")

            check("-tags: start_threads is the creator, beside a recording",
                  wait_for("a creator", known))
            proc.send_signal(signal.SIGINT)
            proc.wait(timeout=DEADLINE_S)
        finally:
            stop_process(proc)
        check("-tags: and in the recording", "start_threads" in pprof(recorded, "-tags"))


def main() -> None:
    need_loiter()
    with scratch_dir() as path:
        attempt("a snapshot", test_snapshot, path)
        attempt("a recording of blocks", test_blocked, path)
        attempt("a recording on the CPU", test_on_cpu, path)
        attempt("creators", test_creator, path)
    finish()


if __name__ == "__main__":
    main()
