# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""What is in a kernel image: its ELF file, and of that the section with the types (.BTF)."""
import gzip
import lzma
import struct
import subprocess
from typing import Callable, Iterator

from errors import SetupError

# arch/x86/include/uapi/asm/bootparam.h, from the start of the file
SETUP_SECTS_OFF = 0x1f1
MAGIC_OFF, MAGIC = 0x202, b"HdrS"
PAYLOAD_OFF = 0x248
SECTOR_BYTES = 512
SIZE_BYTES = 4  # of the payload when unpacked, behind it


def _by_command(*argv: str) -> Callable[[bytes], bytes]:
    def unpack(data: bytes) -> bytes:
        try:
            done = subprocess.run(argv, input=data, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            raise SetupError(f"no {argv[0]} to unpack the kernel's image with; "
                             "sudo ./deps.sh install test") from None
        return done.stdout
    return unpack


UNPACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"\xfd7zXZ\0": lzma.decompress,
    b"\x28\xb5\x2f\xfd": _by_command("zstd", "-dcq"),
    b"\x02\x21\x4c\x18": _by_command("lz4", "-dcq"),
}


def _payload(image: bytes) -> bytes:
    """Returns the compressed part of a bzImage."""
    if image[MAGIC_OFF:MAGIC_OFF + len(MAGIC)] != MAGIC:
        raise SetupError("the kernel's image is no bzImage")
    offset, size = struct.unpack_from("<II", image, PAYLOAD_OFF)
    start = (1 + (image[SETUP_SECTS_OFF] or 4)) * SECTOR_BYTES + offset
    return image[start:start + size - SIZE_BYTES]


def vmlinux_of(image: bytes) -> bytes:
    """Returns the ELF file in a bzImage."""
    packed = _payload(image)
    for magic, unpack in UNPACKERS.items():
        if packed.startswith(magic):
            elf = unpack(packed)
            if elf.startswith(b"\x7fELF"):
                return elf
    raise SetupError(f"the kernel's image is packed in an unknown way: {packed[:8].hex()}")


def _sections(elf: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields where the name of each section is, and its bytes."""
    table_off, = struct.unpack_from("<Q", elf, 0x28)
    entry_bytes, cnt, names_idx = struct.unpack_from("<HHH", elf, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", elf, table_off + i * entry_bytes)
               for i in (names_idx, *range(cnt))]
    for name, _, _, _, offset, size in headers:
        yield name, elf[offset:offset + size]


def btf_of(image: bytes) -> bytes:
    """Returns the types of the kernel in a bzImage; empty when it has none."""
    sections = list(_sections(vmlinux_of(image)))
    names = sections[0][1]
    return next((data for name, data in sections[1:]
                 if names[name:].startswith(b".BTF\0")), b"")
