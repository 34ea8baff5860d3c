# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Damages BTF where its layout is kept, as no random bytes would: each part lies where the header
says, and each type has its size."""
import struct
from typing import Iterator

HEADER = struct.Struct("<HBBIIIII")  # magic, version, flags, bytes of it, types' and names' place
TYPE_BYTES = 12
NAME, REFERS = 0, 8  # where a type has its name, and the type it refers to
NOWHERE = 0x7ffffff0  # neither a name nor a type
INT, ARRAY, STRUCT, UNION, ENUM, TYPEDEF, FUNC_PROTO, VAR, DATASEC, DECL_TAG, ENUM64 = (
    1, 3, 4, 5, 6, 8, 13, 14, 15, 17, 19)
FIXED_BYTES = {INT: 4, ARRAY: 12, VAR: 4, DECL_TAG: 4}
PART_BYTES = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12, ENUM64: 12}
WITH_MEMBERS = (STRUCT, UNION)


def walk(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Gives of each type its id, its place, its kind, and how many parts it has."""
    header = HEADER.unpack_from(data)
    at = header[3] + header[4]
    end = at + header[5]
    number = 0
    while at < end:
        info = struct.unpack_from("<I", data, at + 4)[0]
        kind, cnt = info >> 24 & 0x1f, info & 0xffff
        number += 1
        yield number, at, kind, cnt
        at += TYPE_BYTES + FIXED_BYTES.get(kind, 0) + PART_BYTES.get(kind, 0) * cnt


def damaged(data: bytes, what: str) -> bytes:
    """Returns a copy of @data with one of the damages below in every type that can have it."""
    ret = bytearray(data)
    for number, at, kind, cnt in walk(data):
        parts = [at + TYPE_BYTES + i * PART_BYTES.get(kind, 0) for i in range(cnt)]
        if what == "names of types":
            struct.pack_into("<I", ret, at + NAME, NOWHERE)
        elif what == "names of members" and kind in WITH_MEMBERS:
            for part in parts:
                struct.pack_into("<I", ret, part, NOWHERE)
        elif what == "names of values" and kind in (ENUM, ENUM64):
            for part in parts:
                struct.pack_into("<I", ret, part, NOWHERE)
        elif what == "types of members" and kind in WITH_MEMBERS:
            for part in parts:
                struct.pack_into("<I", ret, part + 4, NOWHERE)
        elif what == "typedefs of themselves" and kind == TYPEDEF:
            struct.pack_into("<I", ret, at + REFERS, number)
        elif what == "structs of themselves" and kind == STRUCT:
            for part in parts:
                struct.pack_into("<II", ret, part, 0, number)
    return bytes(ret)


def without(data: bytes, name: str) -> bytes:
    """Returns a copy of @data in which what is called @name has another name of that length."""
    old = b"\0" + name.encode() + b"\0"
    assert data.count(old) == 1, f"{data.count(old)} names {name}"
    return data.replace(old, old[:-2] + b"_\0")


DAMAGES = ("names of types", "names of members", "names of values", "types of members",
           "typedefs of themselves", "structs of themselves")
