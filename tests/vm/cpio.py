# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Archives in the form that the kernel unpacks as its first file system (cpio, "newc", not
compressed). Files of this machine go in under their own paths, with the symbolic links on the way
to them as they are. Archives may be joined by putting one behind the other; of a path that is in
both, the later one wins."""
import os
import stat
from pathlib import Path
from typing import BinaryIO, Union

PathLike = Union[str, Path]
TRAILER = "TRAILER!!!"
LINKS_MAX = 40  # on the way to one file, as the kernel has it


def _padding(size: int) -> bytes:
    return bytes(-size % 4)


class Archive:
    """Writes an archive to @out. Nothing is written twice; what a path needs above it comes before
    it. files is what was taken from this machine."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._ino = 0
        self._written: set[str] = set()
        self.files: list[str] = []

    def _header(self, path: str, mode: int, size: int, mtime_s: int = 0) -> None:
        self._ino += 1
        name = path.lstrip("/").encode() + b"\0"
        fields = (self._ino, mode, 0, 0, 1, mtime_s, size, 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        self._out.write(header + _padding(len(header)))

    def _is_new(self, path: str) -> bool:
        if path in self._written:
            return False
        self._written.add(path)
        return True

    def _resolve(self, path: PathLike) -> str:
        """Adds the directories and links that lead to @path. Returns it without links but its own
        last component."""
        left = [part for part in os.path.abspath(path).split("/") if part]
        done = ""
        links = 0
        while len(left) > 1:
            here = f"{done}/{left.pop(0)}"
            if os.path.islink(here) and links < LINKS_MAX:
                links += 1
                self._add_link(here)
                target = os.path.normpath(os.path.join(done or "/", os.readlink(here)))
                left[:0] = [part for part in target.split("/") if part]
                done = ""
            else:
                done = here
                self.add_dir(done)
        return f"{done}/{left[0]}" if left else "/"

    def _add_link(self, path: str) -> None:
        if self._is_new(path):
            target = os.readlink(path).encode()
            self._header(path, stat.S_IFLNK | 0o777, len(target))
            self._out.write(target + _padding(len(target)))

    def add_dir(self, path: str, mode: int = 0o755) -> None:
        """Adds an empty directory; what is above it has to be there."""
        if path != "/" and self._is_new(path):
            self._header(path, stat.S_IFDIR | mode, 0)

    def add_bytes(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Adds a file of which this machine has nothing, and the directories above it."""
        parts = path.split("/")[1:-1]
        for i in range(len(parts)):
            self.add_dir("/" + "/".join(parts[:i + 1]))
        if self._is_new(path):
            self._header(path, stat.S_IFREG | mode, len(data))
            self._out.write(data + _padding(len(data)))

    def add(self, path: PathLike) -> None:
        """Adds a file, a link with what it leads to, or a directory without what is in it."""
        place = self._resolve(path)
        found = os.lstat(place)
        if stat.S_ISLNK(found.st_mode):
            self._add_link(place)
            self.add(os.path.join(os.path.dirname(place), os.readlink(place)))
        elif stat.S_ISDIR(found.st_mode):
            self.add_dir(place, stat.S_IMODE(found.st_mode))
        elif stat.S_ISREG(found.st_mode) and self._is_new(place):
            data = Path(place).read_bytes()
            self._header(place, found.st_mode, len(data), int(found.st_mtime))
            self._out.write(data)
            self._out.write(_padding(len(data)))
            self.files.append(place)

    def close(self) -> None:
        """Ends the archive. The stream stays open."""
        self._header(TRAILER, 0, 0)
