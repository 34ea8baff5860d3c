#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""The demo's walk: its fifth ill starts threads that wait for ever; a dump shows them, and so do
the folded stacks of a recording, with the whole window as their time, and leaks who starts them."""
import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any, Iterator

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "tests" / "e2e"))

import lib  # pylint: disable=wrong-import-position
from lib import attempt, check, need_loiter

SERVER = REPO / "build" / "demo-server"
WORKERS = 10  # of two requests
WINDOW_US = 1_000_000
FOLDED = re.compile(r"^demo-server;(?:\S+;)?worker;wait_for_cancel;\[cond wait\] (\d+)$", re.M)


def get(address: str, path: str) -> str:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=lib.DEADLINE_S) as answer:
        return answer.read().decode()


@contextlib.contextmanager
def demo_server() -> Iterator[tuple[int, str]]:
    """Runs the demo. Yields its pid and its address."""
    with lib.scratch_dir() as path, open(path / "log", "wb") as log, subprocess.Popen(
            [str(SERVER), "--listen", "127.0.0.1:0"], stdin=subprocess.DEVNULL,
            stderr=log) as proc:
        try:
            lib.wait_for("the server", lambda: " ready\n" in (path / "log").read_text())
            text = (path / "log").read_text()
            yield proc.pid, text.split(" listening on ", 1)[1].split("\n", 1)[0]
        finally:
            proc.terminate()


def waiting(pid: int) -> list[lib.Thread]:
    return [thread for thread in lib.dump(pid)[pid].values() if thread["wait"] == "cond wait" and
            any(frame["function"] == "wait_for_cancel" for frame in thread["frames"])]


def test_walk() -> None:
    with demo_server() as (pid, address):
        check("step 5", get(address, "/goto?step=5") == "switched to step 5")
        check("two requests", get(address, "/") + get(address, "/") == "hello world" * 2)
        threads = lib.wait_for("the workers", lambda: len(found := waiting(pid)) >= WORKERS and
                               found)
        check(f"dump: {WORKERS} workers wait", len(threads) == WORKERS, len(threads))
        check("dump: each stack is whole, down to worker", all(
            thread["quality"] == "complete" and
            any(frame["function"] == "worker" for frame in thread["frames"])
            for thread in threads), threads[:1])
        done = lib.run_loiter("record", "-p", pid, "-d", f"{WINDOW_US}us", "-f", "folded")
        check("record: works", done.returncode == 0, done.stderr)
        total_us = sum(map(int, FOLDED.findall(done.stdout)))
        check("record: the workers' time is the window, each", total_us >= WORKERS * WINDOW_US,
              f"{total_us} us in\n{done.stdout}")
        check("record: and no more than that", total_us < 2 * WORKERS * WINDOW_US, total_us)


def summary(report: dict[str, Any]) -> str:
    """Returns what a report of leaks says, without the files and lines."""
    lines = [str(report["losses"])]
    for group in report["processes"][0]["groups"]:
        frames = group["creator"]["frames"] if group["creator"] else []
        lines.append(f"{group['verdict']}: {group['evidence']}: " + " ".join(
            frame["function"] or frame["pc"] for frame in frames))
    return "\n".join(lines)


def test_leak() -> None:
    with demo_server() as (pid, address), lib.scratch_dir() as path:
        get(address, "/goto?step=5")
        with subprocess.Popen([str(lib.LOITER), "leaks", "-q", "-p", str(pid), "-d", "8s", "-f",
                               "json", "-o", str(path / "report")]) as leaks:
            while leaks.poll() is None:
                get(address, "/")
                time.sleep(0.5)
        report = json.loads((path / "report").read_text())
        groups = [group for group in report["processes"][0]["groups"]
                  if "start_threads" in json.dumps(group["creator"])]
        # Those of the last request may not be where they will wait, and are a group of their own.
        groups.sort(key=lambda group: group["born"])
        check("leaks: those of start_threads, none of which ends", groups and
              groups[-1]["verdict"] == "leak" and not any(group["ended"] for group in groups) and
              sum(group["born"] for group in groups[:-1]) <= WORKERS / 2, summary(report))


def test_script() -> None:
    """The walk as people are shown it."""
    done = subprocess.run([str(REPO / "demo" / "walkthrough.sh")], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, cwd=REPO,
                          env={**os.environ, "B": "build"}, timeout=lib.DEADLINE_S, check=False)
    check("demo/walkthrough.sh", done.returncode == 0, done.stdout[-1500:])


def main() -> None:
    need_loiter()
    attempt("walk", test_walk)
    attempt("leak", test_leak)
    attempt("script", test_script)
    lib.finish()


if __name__ == "__main__":
    main()
