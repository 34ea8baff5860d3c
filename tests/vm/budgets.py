# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""How many instructions the verifier goes through, by program and kernel: the table budgets.tsv,
and how what was counted now differs from it."""
from pathlib import Path

TABLE = Path(__file__).resolve().parent / "budgets.tsv"
LIMIT = 1_000_000  # BPF_COMPLEXITY_LIMIT_INSNS, since Linux 5.2
SHARE_MAX = 0.5
NONE = "-"  # the kernel has no such program

Counts = dict[str, dict[str, int]]  # by kernel, then by program


def read() -> Counts:
    if not TABLE.exists():
        return {}
    header, *rows = [line.split("\t") for line in TABLE.read_text().splitlines()
                     if not line.startswith("#")]
    ret: Counts = {kernel: {} for kernel in header[1:]}
    for program, *cells in rows:
        for kernel, cell in zip(header[1:], cells):
            if cell != NONE:
                ret[kernel][program] = int(cell)
    return ret


def write(counts: Counts) -> None:
    """Replaces the columns of the kernels in @counts."""
    table = {**read(), **counts}
    programs = sorted({program for column in table.values() for program in column})
    lines = ["# Instructions that the verifier goes through, by program and kernel; made by",
             "# make test-vm-budgets. At most half of what the kernel allows: 1,000,000.",
             "\t".join(["program", *table])]
    lines += ["\t".join([program, *(str(column.get(program, NONE)) for column in table.values())])
              for program in programs]
    TABLE.write_text("\n".join(lines) + "\n")


def changes(counts: Counts) -> list[str]:
    """Returns a line for each count that is not as the table has it."""
    table = read()
    ret = []
    for kernel, now in counts.items():
        before = table.get(kernel, {})
        for program in sorted(before.keys() | now.keys()):
            old, new = before.get(program), now.get(program)
            if old != new:
                share = f" ({(new - old) / old:+.1%})" if old and new else ""
                ret.append(f"{kernel}, {program}: {old or 'none'} -> {new or 'none'}{share}")
    return ret


def uncounted(kernel: str, now: dict[str, int]) -> list[str]:
    """Returns what the table has of a kernel and was not loaded there this time."""
    return [f"{program}: not loaded, but tests/vm/budgets.tsv has {count} instructions of it; "
            "make test-vm-budgets when that is as it should be"
            for program, count in sorted(read().get(kernel, {}).items()) if program not in now]


def overdrawn(now: dict[str, int]) -> list[str]:
    """Returns what is beyond its budget on a kernel."""
    return [f"{program}: {count} instructions, more than half of {LIMIT}"
            for program, count in sorted(now.items()) if count > LIMIT * SHARE_MAX]
