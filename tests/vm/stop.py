# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Whether this process is to end. A Ctrl-C is told to the main thread alone, while others make VMs:
they call check() before each thing that takes long, and go through started() to start one."""
import contextlib
import subprocess
import threading
from typing import Any, Iterator

from errors import SetupError

_asked = threading.Event()
_lock = threading.Lock()
_running: set[subprocess.Popen] = set()


def check() -> None:
    """Raises SetupError once this process is to end."""
    if _asked.is_set():
        raise SetupError("stopped")


@contextlib.contextmanager
def started(argv: list[str], **kwargs: Any) -> Iterator[subprocess.Popen]:
    """Runs a program that ends with the block, or when this process is to."""
    with _lock:
        check()
        proc = subprocess.Popen(argv, **kwargs)
        _running.add(proc)
    try:
        yield proc
    finally:
        with _lock:
            _running.remove(proc)
        proc.kill()
        proc.wait()


def ask() -> None:
    """Has everything end: nothing is started from now on, and what runs is killed."""
    with _lock:
        _asked.set()
        for proc in _running:
            proc.kill()
