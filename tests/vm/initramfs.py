# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""The file system of a VM, in two parts: the big one, of this machine's programs, is kept in the
cache for as long as none of its files changes; the small one, of this tree and of what a run asks
for, is made each time."""
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import BinaryIO, Sequence

import contents
import stop
from cpio import Archive
from errors import SetupError

HERE = Path(__file__).resolve().parent
INIT_SOURCE = HERE / "init.c"
RECIPE = [HERE / name for name in ("contents.py", "cpio.py", "initramfs.py", "init.c")]


def _state_of(path: str) -> str:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return f"- - {path}"
    return f"{found.st_size} {found.st_mtime_ns} {path}"


def _made_of() -> str:
    """Returns what the base is made by, and of which files, so that it is made anew when one more
    is installed. The libraries are not among them: they are those of these files."""
    recipe = [path.read_bytes() for path in RECIPE]
    files = [contents.bpftool(), *sorted(contents.base_files())]
    return hashlib.sha256(b"\0".join([*recipe, *map(os.fsencode, files)])).hexdigest()


def _is_fresh(base: Path, state: Path) -> bool:
    """Whether what the base was made of and by is as it was then, and what there was not is still
    not there."""
    try:
        lines = state.read_text().splitlines()
        return base.exists() and lines[0] == _made_of() and \
            all(_state_of(line.split(" ", 2)[2]) == line for line in lines[1:])
    except (OSError, IndexError):
        return False


def _compile_init(path: Path) -> None:
    compiler = os.environ.get("CC") or "cc"
    done = subprocess.run([*compiler.split(), "-O2", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-o",
                           str(path), str(INIT_SOURCE)], stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode:
        raise SetupError(f"cannot compile {INIT_SOURCE.name}: {done.stderr.strip()}")


def _write_base(out: BinaryIO, init: Path) -> list[str]:
    """Returns the files that were taken, and those that would have been."""
    archive = Archive(out)
    for path in ("/dev", "/proc", "/sys", "/run", "/root", "/tmp", "/vm", "/etc"):
        archive.add_dir(path)
    archive.add_bytes("/init", init.read_bytes(), 0o755)
    files = contents.base_files()
    bpftool = contents.bpftool()
    libraries = sorted(contents.libraries([*files, bpftool, str(init)]))
    debug_files = contents.debug_files(libraries)
    absent = [path for path in debug_files if not os.path.exists(path)]
    for path in [*files, *libraries, *debug_files]:
        stop.check()
        if path not in absent:
            archive.add(path)
    # Behind what says whether the directory is one or a link to another.
    archive.add_bytes(contents.BPFTOOL_PLACE, Path(bpftool).read_bytes(), 0o755)
    archive.close()
    return [*archive.files, bpftool, *absent]


def base(cache: Path) -> Path:
    """Returns the file with the big part, made anew when it has to be."""
    ret, state = cache / "base.cpio", cache / "base.state"
    if _is_fresh(ret, state):
        return ret
    missing = contents.missing_programs()
    if missing:
        raise SetupError(f"not installed: {', '.join(missing)}; sudo ./deps.sh install test")
    made_of = _made_of()  # before, so that what changes meanwhile is noticed
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        init, new = Path(scratch) / "init", Path(scratch) / "base"
        _compile_init(init)
        with open(new, "wb") as out:
            files = _write_base(out, init)
        new_state = Path(scratch) / "state"
        new_state.write_text("\n".join([made_of, *map(_state_of, files)]) + "\n")
        state.unlink(missing_ok=True)
        new.rename(ret)
        new_state.rename(state)  # whole, so that nothing goes for fresh by half a list
    return ret


def _command_file(command: str) -> list[str]:
    path = contents.find_program(command)
    return [path] if path else []


def write(out: BinaryIO, big: Path, command: Sequence[str], paths: Sequence[str],
          files: dict[str, bytes]) -> None:
    """Writes the file system that runs @command where this process is: the part @big, this tree,
    @paths of this machine and @files by the paths that they get."""
    with open(big, "rb") as file:
        shutil.copyfileobj(file, out, 1 << 20)
    archive = Archive(out)
    own = [*contents.repo_files(), *_command_file(command[0])]
    for path in paths:
        if not os.path.lexists(path):
            raise SetupError(f"'{path}': no such file")
        own += contents.tree(path) if os.path.isdir(path) else [os.path.abspath(path)]
    for path in [*own, os.getcwd(), *sorted(contents.libraries(own))]:
        archive.add(path)
    for path, data in files.items():
        archive.add_bytes(path, data)
    words = [os.getcwd(), *command]
    archive.add_bytes("/vm/job", b"".join(os.fsencode(word) + b"\0" for word in words))
    archive.close()
