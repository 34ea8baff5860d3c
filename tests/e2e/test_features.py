#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""What `loiter check` finds on this kernel, held against docs/KERNELS.md: one that is as new as the
table says has the feature. An older one may have it as well, taken back by a distribution; that it
works is for the other tests, which ask less where loiter says that something is missing."""
import re

import lib
from lib import (REPO, attempt, check, finish, has_preempt_rt, kernel_version, need_loiter, note,
                 skip)

ROW = re.compile(r"^\| ([^|]+) \| [^|]+ \| (\d+)\.(\d+) \|", re.M)
FOUND = re.compile(r"^(ok|missing|MISSING) +(.{27}) for ", re.M)
NOT_WITH_RT = {"new code at an old address"}  # however new the kernel is


def test_features() -> None:
    rows = ROW.findall((REPO / "docs" / "KERNELS.md").read_text())
    said = lib.run_loiter("check").stdout
    found = {name.rstrip(): state == "ok" for state, name in FOUND.findall(said)}
    check("the table has its rows", len(rows) >= 10, rows)
    check("all of them are looked for", {row[0] for row in rows} <= found.keys(), said)
    for name, major, minor in rows:
        due = kernel_version() >= (int(major), int(minor))
        if name in NOT_WITH_RT:
            check(f"{name}: but with PREEMPT_RT", found.get(name) != has_preempt_rt(), said)
        elif due:
            check(f"{name}: of {major}.{minor}", found.get(name), said)
        elif found.get(name):
            note(f"{name}: of {major}.{minor}, here too")
        else:
            skip(name, f"this kernel is older than {major}.{minor}, which it is of")


def main() -> None:
    need_loiter()
    attempt("features", test_features)
    finish()


if __name__ == "__main__":
    main()
