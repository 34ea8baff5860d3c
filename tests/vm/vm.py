# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""One virtual machine: a kernel, a file system, a command, its output and its exit status."""
import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional, Sequence

import initramfs
import kernels
import stop
from errors import SetupError

TIMED_OUT = 124
KERNEL_DIED = 125
QEMU = "qemu-system-x86_64"
# With thread=multi TCG loses code that one CPU changes for another: the kernel dies at random.
ACCEL = "tcg,thread=single"
# Both make the kernel and libc copy by single bytes, of which each is an instruction of many here.
CPU = "max,-erms,-fsrm"
# Nothing here is in real time, so stalls mean nothing; all else that is wrong ends the kernel. The
# mitigations are for what this processor does not have, and to zero pages keeps from nobody what
# nobody reads; both take time. Programs are where they were the last time: qemu keeps what it
# translated by its address, and would do libc and python anew for each process. Huge pages only
# where a program asks for them: 6.18 lets khugepaged, of the lowest priority, starve beside threads
# that spin, while it holds the locks of their process.
CMDLINE = ("console=ttyS2 panic=-1 oops=panic nowatchdog rcupdate.rcu_cpu_stall_suppress=1 "
           "mitigations=off init_on_alloc=0 norandmaps transparent_hugepage=madvise")
BEGIN, END = "vm: the command begins", "vm: the command ended"  # as init.c marks the kernel's log
BTF_PLACE = "/vm/btf"  # of the running kernel, out of its image


@dataclass
class Machine:
    """What a VM is made of."""
    cpu_cnt: int = 2
    mem_mb: int = 1536
    limit_s: int = 600
    append: str = ""  # to the kernel's command line
    paths: Sequence[str] = field(default_factory=list)  # of this machine, to be there too


@dataclass
class Ended:
    """How a VM ended."""
    status: int  # the command's, or one of those above
    kernel_log: list[str]
    in_time: bool = True  # it was off before its limit; else it can have a status all the same

    def said_since_begin(self) -> list[str]:
        """Returns what the kernel said once the command began; all when it never did."""
        begin = next((i + 1 for i, line in enumerate(self.kernel_log) if BEGIN in line), 0)
        return self.kernel_log[begin:]

    def said_meanwhile(self) -> list[str]:
        """The same without how it was turned off, which is of interest when that failed alone."""
        lines = self.said_since_begin()
        if self.status in (TIMED_OUT, KERNEL_DIED) or not self.in_time:
            return lines
        return lines[:next((i for i, line in enumerate(lines) if END in line), None)]

    def missing_marks(self) -> list[str]:
        """Returns what the kernel's log has to have of init and has not."""
        return [mark for mark in (BEGIN, END) if not any(mark in line for line in self.kernel_log)]


def _qemu_argv(machine: Machine, vmlinuz: Path, initrd: Path, folder: Path) -> list[str]:
    # Nobody else would end it, were this process killed.
    return ["setpriv", "--pdeathsig", "KILL", os.environ.get("LOITER_VM_QEMU") or QEMU,
            "-accel", os.environ.get("LOITER_VM_ACCEL") or ACCEL, "-cpu", CPU,
            "-smp", str(machine.cpu_cnt), "-m", str(machine.mem_mb),
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", str(vmlinuz), "-initrd", str(initrd),
            "-append", f"{CMDLINE} {machine.append}".strip(),
            "-serial", "stdio", "-serial", f"file:{folder / 'status'}",
            "-serial", f"file:{folder / 'log'}"]


def _lock(folder: Path) -> Optional[int]:
    """Returns a descriptor that keeps @folder locked, or None when another run has it."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


@contextlib.contextmanager
def _run_dir(cache: Path) -> Iterator[Path]:
    """Makes a directory for one run, locked for as long as that lives. Those that runs left behind
    when they were killed are removed."""
    with kernels.locked(cache):
        for old in (*cache.glob("run-*"), *cache.glob("tmp*")):
            left_fd = _lock(old)
            if left_fd is not None:
                shutil.rmtree(old)
                os.close(left_fd)
        path = Path(tempfile.mkdtemp(prefix="run-", dir=cache))
        fd = _lock(path)
    try:
        yield path
    finally:
        shutil.rmtree(path)
        if fd is not None:
            os.close(fd)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").replace("\r", "").splitlines()
    except OSError:
        return []


def _run(argv: list[str], limit_s: int, out: Optional[int]) -> bool:
    """Runs qemu with its first line on @out, at most for @limit_s. Returns whether it ended."""
    with stop.started(argv, stdin=subprocess.DEVNULL, stdout=out) as proc:
        try:
            proc.wait(limit_s)
        except subprocess.TimeoutExpired:
            return False
    stop.check()
    return True


def _prepare(folder: Path, cache: Path, kernel: kernels.Kernel, machine: Machine,
             command: Sequence[str]) -> Path:
    """Returns the file system that the VM is to have."""
    with kernels.locked(cache):
        big = initramfs.base(cache)
        initrd = folder / "initrd"
        with open(initrd, "wb") as out:
            initramfs.write(out, big, command, machine.paths, {BTF_PLACE: kernel.btf})
    return initrd


def boot(name: str, machine: Machine, command: Sequence[str], out: Optional[int] = None) -> Ended:
    """Runs @command as root in a VM with the kernel @name. What it prints goes to the file
    descriptor @out, or to this process's output. Raises SetupError when there can be no VM."""
    if platform.machine() != "x86_64":
        raise SetupError("what is built here does not run in VMs, which are x86-64")
    if not shutil.which(os.environ.get("LOITER_VM_QEMU") or QEMU):
        raise SetupError(f"no {QEMU}; sudo ./deps.sh install test")
    kernel = kernels.get(name)
    cache = kernels.cache_dir()
    with _run_dir(cache) as folder:
        initrd = _prepare(folder, cache, kernel, machine, command)
        in_time = _run(_qemu_argv(machine, kernel.vmlinuz, initrd, folder), machine.limit_s, out)
        status = "".join(_read_lines(folder / "status")).strip()
        log = _read_lines(folder / "log")
    if status.isdecimal():
        return Ended(int(status), log, in_time)
    return Ended(KERNEL_DIED if in_time else TIMED_OUT, log, in_time)
