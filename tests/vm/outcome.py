# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""What a VM's lines say of its tests."""
import re
from dataclasses import dataclass, field

import budgets
import vm

START = re.compile(r"== start (\S+)$")
END = re.compile(r"== end (\S+): status (-?\d+), (\d+) s$")
SUMMARY = re.compile(r"(?:[\w.-]+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
SKIP = re.compile(r"  skip  (.*)$|skip (.*)$")
FAULT = re.compile(r"  FAIL  |not ok |FAILED ")
INSNS = re.compile(r"insns (\w+) (\d+)$")
# What a kernel says when something of it is broken, on our account as likely as not.
KERNEL_FAULT = re.compile(r"\bBUG: |\bWARNING: |\bOops\b|general protection|Out of memory|"
                          r"invoked oom-killer|blocked for more than|bad: scheduling|"
                          r"Kernel panic|kernel BUG at")
SKIP_STATUS = 77
COUNTING = "count_insns"  # the test that says how many instructions each program has
WHY_ENDED = {vm.TIMED_OUT: "the VM took too long", vm.KERNEL_DIED: "the kernel died"}


@dataclass
class Result:
    """How one test went in one VM, in checks."""
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: int = 0
    reasons: list[str] = field(default_factory=list)  # of what was skipped
    faults: list[str] = field(default_factory=list)

    def fail(self, why: str) -> None:
        self.failed += 1
        self.faults.append(why)

    def __str__(self) -> str:
        if self.failed:
            return f"FAILED {self.failed}/{self.failed + self.passed}"
        if not self.passed:
            return "skip"
        return f"ok {self.passed}" + (f", {self.skipped} skip" if self.skipped else "")


class Reader:
    """Reads the lines of one VM. results has a test once it ended; insns what it counted, which
    has to be all that is known of the kernel @budgeted."""

    def __init__(self, budgeted: str = "") -> None:
        self._budgeted = budgeted
        self.results: dict[str, Result] = {}
        self.insns: dict[str, int] = {}
        self.current = ""
        self._result = Result()
        self._closing = ""
        self._takes_detail = False

    def read(self, line: str) -> bool:
        """Takes a line. Returns whether it ended a test."""
        if match := START.match(line):
            self.current, self._result, self._closing = match[1], Result(), ""
        elif match := END.match(line):
            self._end(int(match[2]), int(match[3]))
            return True
        elif match := INSNS.match(line):
            self.insns[match[1]] = int(match[2])
        elif self.current:
            self._read_check(line)
        return False

    def _read_check(self, line: str) -> None:
        if match := SKIP.match(line):
            self._result.reasons.append(match[1] or match[2])
        if FAULT.match(line):
            self._result.faults.append(line.strip())
            self._takes_detail = True
        elif self._takes_detail and line.startswith("      "):
            self._result.faults.append(line.rstrip())
        else:
            self._takes_detail = False
        if SUMMARY.match(line):
            self._closing = line

    def _end(self, status: int, seconds: int) -> None:
        result = self._result
        result.seconds = seconds
        if match := SUMMARY.match(self._closing):
            result.passed, result.failed, result.skipped = (int(n or 0) for n in match.groups())
        if status == -1:
            result.fail(f"it took more than {seconds} s")
        elif status == SKIP_STATUS:
            result.skipped += 1
        elif status and not result.failed:
            result.fail(f"exit status {status}")
        elif not match and not status:
            result.passed += 1
        if self.current == COUNTING:
            for why in budgets.overdrawn(self.insns) + budgets.uncounted(self._budgeted,
                                                                         self.insns):
                result.fail(why)
        self.results[self.current] = result
        self.current = ""


def judge_kernel(ended: vm.Ended) -> Result:
    """Returns what the kernel has to complain of, to its very end, and what of its VM went wrong.
    A log that lacks a mark is not all that the kernel said, so nothing in it is no good news."""
    ret = Result()
    if ended.status:
        ret.fail(WHY_ENDED.get(ended.status, f"what runs the tests ended with {ended.status}"))
    elif not ended.in_time:
        ret.fail("the VM did not turn itself off")
    for mark in ended.missing_marks():
        ret.fail(f"no '{mark}' in the kernel's log")
    for line in ended.said_since_begin():
        if KERNEL_FAULT.search(line):
            ret.fail(line.strip())
    if not ret.failed:
        ret.passed = 1
    return ret
