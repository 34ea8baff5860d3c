#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Kernels as Debian ships them, by series: kernels.py [--update] [NAME...] says which there are in
the cache, after fetching those that are not.

A NAME is a series with or without a flavour (6.1, 6.1-rt), or newest. What is in the cache is used
as it is, without asking anybody; --update looks for newer ones. The packages come through a root
of apt's that is part of the cache: of this machine's own settings only the mirror and the way to
it are read, nothing is changed, and what Debian did not sign is refused."""
import argparse
import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Iterator, Optional

import image
import stop
from errors import SetupError

SERIES = ("5.10", "6.1", "6.1-rt", "6.12", "6.18", "newest")
FLAVOURS = ("cloud", "rt", "")  # of 6.1 there is to be the small one, without a word
SUITES = {
    "security": ("bullseye-security", "bookworm-security", "trixie-security"),
    "main": ("trixie-backports",),
}
MIRRORS = {"main": "http://deb.debian.org/debian",
           "security": "http://deb.debian.org/debian-security"}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NAME = re.compile(r"(newest|\d+\.\d+(?:\.\d+)*)(?:-(rt|cloud))?")
# From 6.19 on the image is in linux-binary, and linux-image brings it.
PACKAGE = re.compile(r"linux-(?:binary|image)-\d\S*?(?:-(cloud|rt))?-amd64")
TRIES_MAX = 4  # an index can name what the mirror does not have any more
INDEX_AGE_MAX_S = 3600
LOCK_POLL_S = 0.2


@dataclass
class Kernel:
    """A kernel in the cache."""
    name: str
    version: str  # Debian's
    vmlinuz: Path
    btf: bytes  # the types, as they are in the image; empty when it has none


@dataclass(order=True)
class Offer:
    """A package of the index."""
    upstream: tuple[int, ...]
    package: str  # linux-binary is before linux-image of the same version
    version: str
    flavour: str


def cache_dir() -> Path:
    """Returns where all is kept that a later run can use."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(os.environ.get("LOITER_VM_CACHE") or os.path.join(home, "loiter-vm")).absolute()


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


@contextlib.contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Keeps other runs from filling the cache at the same time."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="ascii") as file:
        while not _try_lock(file):
            stop.check()
            time.sleep(LOCK_POLL_S)
        yield


# --- apt --------------------------------------------------------------------------------------

def _output(*argv: str) -> str:
    """Returns what a command prints, nothing when it fails or is not there."""
    try:
        return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              check=False).stdout
    except OSError:
        return ""


def _release_words() -> dict[str, str]:
    with contextlib.suppress(OSError):
        text = Path("/etc/os-release").read_text(encoding="utf-8")
        return dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.M))
    return {}


def _mirrors() -> dict[str, str]:
    """Returns the mirrors that this machine uses when it is a Debian, else everybody's."""
    words = _release_words()
    ret = dict(MIRRORS)
    if words.get("ID") != "debian":
        return ret
    code = words.get("VERSION_CODENAME", "")
    releases = {code: "main", f"{code}-security": "security"}
    targets = _output("apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)",
                      "Created-By: Packages")
    for line in reversed(targets.splitlines()):
        release, component, uri = line.split(" ", 2)
        if release in releases and component == "main":
            ret[releases[release]] = uri
    return ret


class Apt:
    """A root of apt's own below @root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._said = ""

    def _write_config(self) -> None:
        if not KEYRING.exists():
            raise SetupError(f"no '{KEYRING}' to check signatures by; "
                             "sudo ./deps.sh install test")
        nothing = self._root / "nothing"
        for name in ("lists/partial", "cache/archives/partial", "state", "nothing"):
            (self._root / name).mkdir(parents=True, exist_ok=True)
        (self._root / "status").touch()
        mirrors = _mirrors()
        (self._root / "sources.list").write_text("".join(
            f"deb [arch=amd64 signed-by={KEYRING}] {mirrors[kind]} {suite} main\n"
            for kind, suites in SUITES.items() for suite in suites))
        # How to reach the mirror. Not what its packages are allowed to be, nor what to run then.
        way = [line for line in _output("apt-config", "dump", "Acquire").splitlines()
               if line.startswith("Acquire::") and "::Allow" not in line]
        own = {"Dir::Etc::main": nothing / "main", "Dir::Etc::parts": nothing,
               "Dir::Etc::sourcelist": self._root / "sources.list",
               "Dir::Etc::sourceparts": nothing, "Dir::Etc::preferences": nothing / "preferences",
               "Dir::Etc::preferencesparts": nothing, "Dir::State": self._root / "state",
               "Dir::State::status": self._root / "status", "Dir::Cache": self._root / "cache",
               "Dir::State::lists": self._root / "lists", "APT::Architecture": "amd64",
               "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
               "Acquire::Languages": "none"}
        lines = way + [f'{key} "{value}";' for key, value in own.items() if str(value)]
        (self._root / "apt.conf").write_text("\n".join(lines) + "\n")

    def _run(self, *argv: str, **kwargs: object) -> subprocess.CompletedProcess:
        env = {**os.environ, "APT_CONFIG": str(self._root / "apt.conf"), "LC_ALL": "C"}
        try:
            return subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, text=True, check=False, **kwargs)
        except FileNotFoundError:
            raise SetupError(f"no {argv[0]} to fetch kernels with; "
                             "sudo ./deps.sh install test") from None

    def update(self) -> None:
        """Fetches the index, unless that was only just done."""
        stamp = self._root / "updated"
        if stamp.exists() and 0 <= time.time() - stamp.stat().st_mtime < INDEX_AGE_MAX_S:
            return
        self._write_config()
        done = self._run("apt-get", "-q", "update")
        complaints = [line for line in done.stderr.splitlines() if line[:2] in ("E:", "W:")]
        self._said = complaints[0][3:] if complaints else ""
        if not complaints:
            stamp.touch()

    @property
    def complaint(self) -> str:
        """What went wrong with the last update, empty when nothing did."""
        return self._said

    def offers(self) -> list[Offer]:
        """Returns what the index has of kernels."""
        names = [name for name in self._run("apt-cache", "pkgnames", "linux-").stdout.split()
                 if PACKAGE.fullmatch(name)]
        if not names:
            return []
        ret = []
        for record in self._run("apt-cache", "show", *names).stdout.split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version): (\S+)$", record, re.M))
            package, version = fields.get("Package", ""), fields.get("Version", "")
            match = PACKAGE.fullmatch(package)
            number = re.match(r"\d+(?:\.\d+)*", version)
            if match and number and "~rc" not in version:
                upstream = tuple(map(int, number[0].split(".")))
                ret.append(Offer(upstream, package, version, match[1] or ""))
        return ret

    def download(self, offer: Offer, folder: Path) -> Optional[Path]:
        """Returns the package's file in @folder, or None when it cannot be had."""
        done = self._run("apt-get", "-q", "download", f"{offer.package}={offer.version}",
                         cwd=folder)
        files = sorted(folder.glob("*.deb"))
        if done.returncode or len(files) != 1:
            self._said = (done.stderr.strip().splitlines() or ["no file came"])[-1]
            return None
        self._said = ""
        return files[0]


# --- kernels ----------------------------------------------------------------------------------

def _fitting(name: str, offers: list[Offer]) -> list[Offer]:
    """Returns the offers of the series @name, newest first."""
    match = NAME.fullmatch(name)
    if not match:
        raise SetupError(f"'{name}' is no kernel: {', '.join(SERIES)}, or another series")
    series = () if match[1] == "newest" else tuple(map(int, match[1].split(".")))
    found = [offer for offer in offers if offer.upstream[:len(series)] == series]
    wanted = match[2] or next((flavour for flavour in ("cloud", "") if any(
        offer.flavour == flavour for offer in found)), "")
    found = [offer for offer in found if offer.flavour == wanted]
    return sorted(found, key=lambda offer: (offer.upstream, "binary" in offer.package,
                                            offer.version), reverse=True)


def _unpack(package: Path, to: Path) -> bool:
    """Takes the image out of @package; returns whether there was one."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)],
                          stdout=subprocess.PIPE) as proc:
        found = False
        try:
            with tarfile.open(fileobj=proc.stdout, mode="r|") as files:
                for entry in files:
                    data = files.extractfile(entry) if entry.isfile() else None
                    if data and os.path.basename(entry.name).startswith("vmlinuz"):
                        with open(to, "wb") as out:
                            shutil.copyfileobj(data, out)
                        found = True
        except tarfile.TarError as error:
            raise SetupError(f"'{package.name}' cannot be unpacked: {error}") from None
    return found


def _read(name: str, folder: Path) -> Optional[Kernel]:
    try:
        version = (folder / "version").read_text(encoding="ascii").strip()
        return Kernel(name, version, folder / "vmlinuz", (folder / "btf").read_bytes())
    except OSError:
        return None


def _store(name: str, offer: Offer, package: Path, scratch: Path, folder: Path) -> bool:
    """Puts the kernel in the package in @folder, whole; returns False when there is none in it."""
    new = scratch / "kernel"
    new.mkdir()
    if not _unpack(package, new / "vmlinuz"):
        shutil.rmtree(new)
        return False
    (new / "btf").write_bytes(image.btf_of((new / "vmlinuz").read_bytes()))
    (new / "version").write_text(f"{offer.version}\n", encoding="ascii")
    if folder.exists():
        folder.rename(scratch / "old")
    folder.parent.mkdir(exist_ok=True)
    new.rename(folder)
    print(f"vm: {name} is {offer.package} {offer.version}", file=sys.stderr)
    return True


def _fetch(name: str, cache: Path) -> Kernel:
    folder = cache / "kernels" / name
    have = _read(name, folder)
    apt = Apt(cache / "apt")
    apt.update()
    trouble = f"Debian's index could not be had: {apt.complaint}" if apt.complaint else ""
    offers = _fitting(name, apt.offers())
    for offer in offers[:TRIES_MAX]:
        stop.check()
        if have and have.version == offer.version:
            break
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            package = apt.download(offer, Path(scratch))
            if package and _store(name, offer, package, Path(scratch), folder):
                have = _read(name, folder)
                break
        if not package:
            trouble = trouble or f"{offer.package} could not be had: {apt.complaint}"
    if not offers:
        trouble = trouble or f"Debian's index has none in {', '.join(sum(SUITES.values(), ()))}"
    if not have:
        raise SetupError(f"no kernel {name}: none in the cache ({cache}), and "
                         f"{trouble or f'none in {offers[0].package}'}")
    if trouble:
        print(f"vm: {name} is {have.version}, which may not be the newest: {trouble}",
              file=sys.stderr)
    return have


def _read_file(path: str) -> Kernel:
    """Returns a kernel that is no Debian's but a file of this machine."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise SetupError(f"'{path}': {error.strerror}") from None
    return Kernel(path, os.path.basename(path), Path(path), image.btf_of(data))


def get(name: str, update: bool = False) -> Kernel:
    """Returns a kernel by its name: from the cache, or fetched now."""
    cache = cache_dir()
    if "/" in name:
        return _read_file(name)
    with locked(cache):
        have = _read(name, cache / "kernels" / name)
        return have if have and not update else _fetch(name, cache)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="look for newer ones")
    parser.add_argument("names", nargs="*", metavar="NAME", default=SERIES)
    args = parser.parse_args()
    try:
        for name in args.names:
            kernel = get(name, args.update)
            print(f"{name}\t{kernel.version}\t{kernel.vmlinuz}")
    except SetupError as error:
        print(f"kernels: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
