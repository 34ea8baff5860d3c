# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Programs with a root file system and namespaces of their own, as containers have them."""
import contextlib
import os
import shlex
import subprocess
from pathlib import Path
from typing import Iterator, Optional

import lib
from lib import Target

# $R is the new root; what has to be in it is copied by lines that come before this.
PIVOT = """
mount -t proc proc $R/proc && cd $R && pivot_root . old || exit 99
/old/{loader} --library-path /old/{libraries} /old/usr/bin/umount -l /old || exit 98
cd / && exec "$0" "$@"
"""
CHROOT = """
mount -t proc proc $R/proc || exit 99
exec chroot $R "$0" "$@"
"""


def libraries(program: Path) -> list[Path]:
    """Returns the shared objects of @program, the loader too; none when it is static."""
    done = subprocess.run(["ldd", str(program)], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=False)
    words = done.stdout.split() if done.returncode == 0 else []
    return sorted({Path(word) for word in words if word.startswith("/")})


def _copies(program: Path, inside: str, extra: dict[Path, str]) -> str:
    """Returns shell lines that fill the root."""
    places = {program: inside, **{path: str(path) for path in libraries(program)}, **extra}
    lines = ["mkdir -p $R/proc $R/tmp $R/old"]
    for path, place in places.items():
        lines.append(f"mkdir -p $R{shlex.quote(os.path.dirname(place))} && "
                     f"cp {shlex.quote(str(path))} $R{shlex.quote(place)} || exit 97")
    return "\n".join(lines)


def child_of(pid: int) -> int:
    return lib.wait_for(f"a child of {pid}", lambda: lib.children(pid))[0]


@contextlib.contextmanager
def contained(program: Path, inside: str, *args: object, pid_namespace: bool = True,
              extra: Optional[dict[Path, str]] = None) -> Iterator[tuple[Target, int]]:
    """Runs a copy of @program as @inside in a root on a tmpfs that only it has mounted, with the
    files @extra as well. Yields its target and its pid here.

    With a PID namespace its root is pivoted, and nothing of this machine's files remains; without,
    it is a chroot."""
    bash = Path("/bin/bash")
    # Without symlinks, since those would lead into the new root.
    loader = next(path for path in libraries(bash) if path.name.startswith("ld")).resolve()
    libc = next(path for path in libraries(bash) if path.name.startswith("libc.")).resolve()
    finish = PIVOT.format(loader=str(loader).lstrip("/"), libraries=str(libc.parent).lstrip("/"))
    if not pid_namespace:
        finish = CHROOT
    with lib.scratch_dir() as root:
        script = "\n".join([f"R={shlex.quote(str(root))}", "mount -t tmpfs none $R || exit 99",
                            _copies(program, inside, extra or {}), finish])
        flags = ["-m", "-p", "-f", "--kill-child"] if pid_namespace else ["-m"]
        argv = ["unshare", *flags, str(bash), "-c", script, inside, *map(str, args)]
        with lib.running(f"contained {inside}", argv) as target:
            target.read_until("ready")
            pid = child_of(target.pid) if pid_namespace else target.pid
            try:
                yield target, pid
            finally:
                # Its end, also of a PID namespace, whose init hears no SIGTERM.
                assert target.proc.stdin is not None
                target.proc.stdin.close()
                target.proc.wait()
