# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Which tests run in the VMs. Every test there is stands in one of the two tables, or the matrix
fails: what is left out has a reason, which is printed."""
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"


@dataclass
class Cell:
    """A test in a VM; it ends as those of tests/e2e do, or as tests/run.py."""
    name: str
    argv: list[str]
    short: bool = False  # part of `make test`
    limit_s: int = 600


def _e2e(name: str, short: bool = False, limit_s: int = 600) -> Cell:
    path = next((REPO / "tests" / "e2e").glob(f"{name}.*"))
    return Cell(name, ["bash" if path.suffix == ".sh" else PYTHON, str(path)], short, limit_s)


def _own(name: str, short: bool = False, limit_s: int = 600) -> Cell:
    return Cell(name, [PYTHON, str(REPO / "tests" / "vm" / f"{name}.py")], short, limit_s)


CELLS = (
    Cell("bpf", [PYTHON, str(REPO / "tests" / "run.py"), "--bpf",
                 str(REPO / "build" / "tests" / "bpf" / "test_capture")], short=True),
    _e2e("test_features", short=True),
    _own("test_walkthrough", short=True),
    _e2e("test_truth"),
    _e2e("test_age", short=True),
    _e2e("test_bad_input"),
    _e2e("test_bad_target"),
    _e2e("test_kinds"),
    _e2e("test_births"),
    _e2e("test_record"),
    _e2e("test_record_truth", short=True),
    _e2e("test_record_losses"),
    _e2e("test_record_churn", short=True),
    _e2e("test_record_many"),
    _e2e("test_record_futex"),
    _e2e("test_record_kernel"),
    _e2e("test_leaks_program"),
    _e2e("test_cgroup"),
    _e2e("test_targets"),
    _e2e("test_limits"),
    _e2e("test_inside"),
    _e2e("test_leftovers"),
    _own("test_btf", short=True),
    _own("count_insns", short=True),
)

LEFT_OUT = {
    "test_demo": "the server itself depends on no kernel; the walk-through is through it",
    "test_html": "there is no browser in the VMs",
    "test_pprof": "there is no go in the VMs, and nothing in it depends on the kernel",
    "test_readme": "what the README says is of this machine",
    "test_leaks": "its workloads create threads at rates that take hardware to run them on; "
                  "the walk-through and test_leaks_program have leaks",
    "test_capture": "damage to files and their replay depend on no kernel",
    "test_scale": "thousands of threads take minutes without hardware to run them on",
}


def unplanned() -> list[str]:
    """Returns the tests that are in neither table or in both, and the names that are no test."""
    there = {path.stem for pattern in ("e2e/test_*", "vm/test_*.py")
             for path in (REPO / "tests").glob(pattern)}
    planned = {cell.name for cell in CELLS if cell.name.startswith("test_")}
    return sorted((there ^ (planned | LEFT_OUT.keys())) | (planned & LEFT_OUT.keys()))
