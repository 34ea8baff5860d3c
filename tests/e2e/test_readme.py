#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Every command of the README works as it stands there.

Blocks marked sh are run line by line, and so are the lines of console blocks that begin with "$ ".
`sudo` is a no-op for the root that tests run as; `make test` is only looked up, since this is it.
"""
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lib import LOITER, REPO, attempt, check, finish, need_loiter, redis, running

README = REPO / "README.md"
TIMEOUT_S = 600


def commands(text: str) -> list[str]:
    found = []
    for kind, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        lines = body.splitlines()
        if kind == "sh":
            found += lines
        elif kind == "console":
            found += [line[2:] for line in lines if line.startswith("$ ")]
    return found


def fill_bin(bin_dir: Path) -> None:
    """Puts what the README takes for granted on the PATH: loiter installed, and sudo."""
    bin_dir.mkdir()
    (bin_dir / "loiter").symlink_to(LOITER)
    (bin_dir / "flamegraph.pl").symlink_to("/usr/share/perl5/Devel/NYTProf/flamegraph.pl")
    sudo = bin_dir / "sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)


def outputs(command: str, cwd: Path) -> list[Path]:
    return [cwd / name for name in re.findall(r"(?:>|--save|-o) ([\w.]+)", command)]


def run_one(command: str, cwd: Path, env: dict[str, str]) -> None:
    in_repo = re.search(r"(^| )(make|\./deps\.sh) ", command)
    if command.endswith("make test"):
        # Not by "make -n", which runs the lines that start other makes, and so all of this again.
        command = "grep -q ^test: tests/tests.mk"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=REPO if in_repo else cwd,
                          env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace",
                          timeout=TIMEOUT_S, check=False)
    check(f"README: {command}", done.returncode == 0, done.stdout[-1500:])
    for path in outputs(command, cwd):
        check(f"README: {command}: {path.name} is written",
              path.exists() and path.stat().st_size > 0)


def run_all(cwd: Path) -> None:
    fill_bin(cwd / "bin")
    env = dict(os.environ, PATH=f"{cwd / 'bin'}:{os.environ['PATH']}:/usr/sbin",
               PREFIX=str(cwd / "prefix"))
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        env.pop(name, None)
    lines = commands(README.read_text())
    check("README has commands", len(lines) > 8, lines)
    demo = [str(REPO / "build" / "demo-server"), "--listen", "127.0.0.1:0"]
    with redis(), running("demo-server", demo, stderr=subprocess.STDOUT) as server:
        while not server.read_line().endswith("ready"):
            pass
        for line in lines:
            attempt(f"README: {line}", run_one, line, cwd, env)
    check("README: installed", (cwd / "prefix" / "bin" / "loiter").exists())


def main() -> None:
    need_loiter()
    directory = Path(tempfile.mkdtemp(prefix="loiter-readme-"))
    try:
        attempt("README", run_all, directory)
    finally:
        shutil.rmtree(directory)
    finish()


if __name__ == "__main__":
    main()
