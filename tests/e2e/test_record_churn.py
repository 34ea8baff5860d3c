#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""loiter record of what changes under its feet: other code at the same address, by exec. What was
learned of the old code is wrong for the new, and no stack may show it.
"""
from lib import attempt, check, finish, need_loiter, workload
from recording import Truth, check_verdicts, judge_blocks, judged

TURNCOAT = Truth(r"(north|south)_\w+|turn|main|stdin_ended|start_thread_of",
                 *(f"{side}_wait {side}_outer {side}_main" for side in ("north", "south")),
                 "turn north_main", "turn south_main", "turn main", "stdin_ended main",
                 "start_thread_of main", "main", "")  # or in none, while it begins


def test_turncoat(name: str, life_ms: int, least_share: float) -> None:
    with workload("turncoat-north", life_ms) as target:
        report = judged(name, "-p", target.pid, "-d", "3s", verified=100)
    if not report:
        return
    verdicts = judge_blocks(report, TURNCOAT)
    check_verdicts(name, verdicts, least_share)
    for side in ("north", "south"):
        check(f"{name}: blocks as {side}", verdicts.exact_in(f"{side}_wait") > 50, verdicts.exact)


def main() -> None:
    need_loiter()
    for name, life_ms, share in (("exec now and then", 900, 0.98), ("exec in a hurry", 50, 0.5)):
        attempt(name, test_turncoat, name, life_ms, share)
    finish()


if __name__ == "__main__":
    main()
