# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""What the tests of leaks share: counting, and the groups that are counted."""
import json
from typing import Any, Optional

from lib import check
from recording import Recording, recording

Group = dict[str, Any]
Report = dict[str, Any]
COUNT_LOSSES = {"events_dropped", "births_unseen", "ends_unseen", "cohorts_over_max"}


def counting(*args: object, form: str = "json") -> Any:
    return recording(*args, form=form, command="leaks")


def creator(group: Group) -> Optional[str]:
    return group["creator"] and group["creator"]["function"]


def place(group: Group) -> Optional[str]:
    return group["blocked_at"] and group["blocked_at"]["function"]


def words(group: Group) -> str:
    return f"{group['verdict']}: {group['alive_end']} by {creator(group)} at {place(group)}: " \
           f"{group['evidence']}"


def groups_of(report: Report, pid: int) -> list[Group]:
    return [group for process in report["processes"] if process["pid"] == pid
            for group in process["groups"]]


def ended_well(name: str, running: Recording, *, stop: bool = False, status: int = 0
               ) -> Optional[Report]:
    got, out, err = running.stop() if stop else running.end()
    if not check(f"{name}: counted", got == status, f"status {got}: {err}"):
        return None
    return json.loads(out)


def check_sums(name: str, report: Report) -> None:
    """Nothing is lost, and every group adds up."""
    wrong = [words(group) for process in report["processes"] for group in process["groups"]
             if group["alive_start"] + group["born"] - group["ended"] != group["alive_end"] or
             len(group["tids"]) > group["alive_end"]]
    check(f"{name}: every group adds up", not wrong, wrong)
    lost = {key: cnt for key, cnt in report["losses"].items() if key in COUNT_LOSSES}
    check(f"{name}: nothing is lost", not lost, lost)
